import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { breakwater } from '../../src/db/schema.ts'
import { type LocalPostgres, startPostgres } from '../../src/local/index.ts'
import { fill, ownColumns, ownSchema } from '../../src/testing/index.ts'
import { catchPlans, catchWithoutDatabase, falseAlarms } from '../../test/system/db-health/catch.ts'
import { createTables } from '../../test/system/db-plans/tables.ts'
import type { Bench } from '../support/bench.ts'
import { round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { overhead } from './overhead.ts'
import { type Measured, measure } from './queries.ts'

const SIZES = [10_000, 1_000_000, 10_000_000]
const ROUNDS = 15
// Below this the clock and the machine's other work are most of what is measured.
const FLOOR = 0.2

let databases = 0

async function freshPool(postgres: LocalPostgres): Promise<{ pool: pg.Pool; url: string; name: string }> {
  const name = `bench_${++databases}`
  const admin = new pg.Client({ connectionString: postgres.superuserUrl })
  await admin.connect()
  const owner = new URL(postgres.url).username
  await admin.query(`create database ${name} owner "${owner}"`)
  await admin.end()
  const url = new URL(postgres.url)
  url.pathname = `/${name}`
  const pool = new pg.Pool({ connectionString: url.href, max: 2 })
  pool.on('error', () => {})
  return { pool, url: url.href, name }
}

function sizesOf(args: readonly string[]): number[] {
  const at = args.indexOf('--rows')
  return at === -1 ? SIZES : (args[at + 1] ?? '').split(',').map(Number)
}

/** How the SDK's own queries grow with their tables, and what the checks catch. */
export const bench: Bench = {
  about:
    'The SDK’s own queries at 10 thousand, 1 million and 10 million rows; what the checks catch; our layer’s share.',
  options: '--rows 10000,1000000',
  async run({ args, say }) {
    const sizes = sizesOf(args)
    const root = mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
    chmodSync(root, 0o755)
    const postgres = await startPostgres({ dataDir: join(root, 'state'), durable: false })
    try {
      const bySize = new Map<number, Measured[]>()
      for (const rows of sizes) {
        const { pool } = await freshPool(postgres)
        await createTables(pool, { breakwater, ...ownSchema })
        const client = await pool.connect()
        const filled = await fill({ client, schema: ownSchema, rows, columns: ownColumns })
        say(`${rows} rows of each table filled in ${round(filled.seconds, 0)} s`)
        bySize.set(rows, await measure(client, ROUNDS))
        client.release()
        await pool.end()
      }
      const pools: pg.Pool[] = []
      const fresh = async () => {
        const { pool } = await freshPool(postgres)
        pools.push(pool)
        return pool
      }
      const filledPool = await fresh()
      const client = await filledPool.connect()
      const caught = [...catchWithoutDatabase(), ...(await catchPlans(client))]
      client.release()
      const alarms = await falseAlarms(fresh)
      for (const pool of pools) await pool.end()
      const { url, pool } = await freshPool(postgres)
      const share = await overhead(url, 1000)
      await pool.end()

      const [smallest = 0] = sizes
      const largest = sizes.at(-1) ?? smallest
      const first = bySize.get(smallest) ?? []
      const rowsOf = first.map((one) => {
        const all = sizes.map((size) =>
          bySize.get(size)?.find(({ name, step }) => name === one.name && step === one.step),
        )
        const last = all.at(-1)
        const ratio = Math.max(FLOOR, last?.p50 ?? 0) / Math.max(FLOOR, one.p50)
        return { one, all, ratio }
      })
      const worst = rowsOf.reduce((most, row) => Math.max(most, row.ratio), 0)
      const scans = (bySize.get(largest) ?? []).reduce((sum, one) => sum + one.sequentialScans, 0)
      const figures = {
        worstRatio: round(worst),
        sequentialScans: scans,
        caught: caught.filter(({ expected, found }) => found.includes(expected)).length,
        fixtures: caught.length,
        falseAlarms: alarms.length,
        overhead: share,
        rows: sizes,
        queries: Object.fromEntries(
          rowsOf.map(({ one, all, ratio }) => [
            `${one.name}#${one.step}`,
            {
              p50Ms: all.map((each) => round(each?.p50 ?? 0, 3)),
              ratio: round(ratio),
              plan: all.at(-1)?.plan ?? '',
            },
          ]),
        ),
      }
      const report = [
        table(
          ['query', ...sizes.map((size) => `${size} rows, ms`), 'ratio'],
          rowsOf.map(({ one, all, ratio }) => [
            `${one.name} ${one.step}`,
            ...all.map((each) => round(each?.p50 ?? 0, 3)),
            round(ratio),
          ]),
        ),
        '',
        `Times are the server’s own, planning and execution; below ${FLOOR} ms they count as ${FLOOR} ms in the ratio.`,
        `Caught ${figures.caught} of ${figures.fixtures}, ${figures.falseAlarms} false alarms; our layer adds ${round(share * 100, 1)} % to a statement.`,
      ]
      return { figures, report: report.join('\n') }
    } finally {
      await postgres.stop()
      rmSync(root, { recursive: true, force: true })
    }
  },
}
