import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { breakwater } from '../../src/db/schema.ts'
import { startPostgres } from '../../src/local/postgres/index.ts'
import { fill, ownColumns, ownQueries, ownSchema, requireGoodPlans } from '../../src/testing/index.ts'
import { createTables } from '../system/db-plans/tables.ts'

/** `npm run soak -- db-plans [--count ROWS]`: the plan of every query of the SDK, over two million rows of each table. */
export async function run({ count = 2_000_000 }: { readonly count?: number | undefined }): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'breakwater-plans-'))
  const postgres = await startPostgres({ dataDir: root, durable: false })
  const pool = new pg.Pool({ connectionString: postgres.url, max: 1 })
  pool.on('error', () => {})
  try {
    await createTables(pool, { breakwater, ...ownSchema })
    const client = await pool.connect()
    try {
      const log = (line: string): void => console.error(line)
      const { seconds } = await fill({ client, schema: ownSchema, rows: count, columns: ownColumns, log })
      const examined = await requireGoodPlans({ client, queries: ownQueries })
      const plans = examined.map(
        ({ name, plan, milliseconds = 0 }) => `${name} (${milliseconds.toFixed(1)} ms)\n${plan}`,
      )
      return `${plans.join('\n\n')}\n\nFilled ${count} rows of each table in ${seconds.toFixed(0)} s; ${examined.length} plans, none at fault.`
    } finally {
      client.release()
    }
  } finally {
    await pool.end()
    await postgres.stop()
    rmSync(root, { recursive: true, force: true })
  }
}
