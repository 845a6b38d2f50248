import pg from 'pg'
import { startPostgres } from '../../../src/local/postgres/index.ts'

// A process that runs Postgres, as `breakwater dev` does: says when it is ready, writes a row, and waits to be killed.
const [, , dataDir = '', row = ''] = process.argv
try {
  const postgres = await startPostgres({ dataDir })
  const client = new pg.Client(postgres.url)
  client.on('error', () => {})
  await client.connect()
  await client.query('create table if not exists kept (word text)')
  if (row !== '') await client.query('insert into kept values ($1)', [row])
  process.stdout.write(`${JSON.stringify({ url: postgres.url })}\n`)
  process.stdin.resume()
} catch (error) {
  process.stdout.write(`${JSON.stringify({ error: (error as Error).message })}\n`)
  process.exitCode = 1
}
