import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { expect, it } from 'vitest'
import { startPostgres } from '../../../src/local/postgres/index.ts'

const isRoot = process.getuid?.() === 0
const hasNamespaces = spawnSync('unshare', ['--user', 'true'], { stdio: 'ignore' }).status === 0

it.skipIf(!isRoot || !hasNamespaces)(
  'runs for root in a folder that only root may enter, as a clone in /root is',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'breakwater-closed-'))
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    try {
      // Twice: the second start finds what the first one left.
      for (const times of [1, 2]) {
        const server = await startPostgres({ dataDir: join(folder, 'state'), durable: false })
        const client = new pg.Client({ connectionString: server.url })
        await client.connect()
        await client.query('create table if not exists started (at timestamptz default now())')
        await client.query('insert into started default values')
        const { rows } = await client.query('select count(*)::int as times from started')
        await client.end()
        await server.stop()
        expect(rows).toEqual([{ times }])
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
)
