import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { type LocalPostgres, startPostgres } from '../../src/local/index.ts'
import { catchPlans, catchWithoutDatabase, falseAlarms } from '../../test/system/db-health/catch.ts'
import type { Bench } from '../support/bench.ts'
import { round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { filledDatabase } from './kept.ts'
import { overhead } from './overhead.ts'
import { type Measured, measure } from './queries.ts'

// Below this the clock and the machine's other work are most of what is measured.
const FLOOR = 0.2

const SETTINGS = {
  shared_buffers: '1GB',
  work_mem: '64MB',
  max_wal_size: '8GB',
  // Each table is vacuumed once it is filled; nothing else is to run while the clock does.
  autovacuum: 'off',
} as const

let databases = 0

async function freshPool(
  postgres: LocalPostgres,
): Promise<{ pool: pg.Pool; url: string; drop: () => Promise<void> }> {
  const name = `bench_${process.pid}_${++databases}`
  const admin = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: postgres.superuserUrl })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  await admin(`create database ${name} owner "${new URL(postgres.url).username}"`)
  const url = new URL(postgres.url)
  url.pathname = `/${name}`
  const pool = new pg.Pool({ connectionString: url.href, max: 2 })
  pool.on('error', () => {})
  const drop = async (): Promise<void> => {
    await pool.end()
    await admin(`drop database ${name} with (force)`)
  }
  return { pool, url: url.href, drop }
}

/** What the checks catch of what is bad, and say of what is good. */
async function checks(
  postgres: LocalPostgres,
): Promise<{ fixtures: number; caught: number; alarms: number }> {
  const drops: (() => Promise<void>)[] = []
  const fresh = async (): Promise<pg.Pool> => {
    const { pool, drop } = await freshPool(postgres)
    drops.push(drop)
    return pool
  }
  const client = await (await fresh()).connect()
  const caught = [...catchWithoutDatabase(), ...(await catchPlans(client))]
  client.release()
  const alarms = await falseAlarms(fresh)
  for (const drop of drops) await drop()
  return {
    fixtures: caught.length,
    caught: caught.filter(({ expected, found }) => found.includes(expected)).length,
    alarms: alarms.length,
  }
}

const ratioOf = ({ p50 }: Measured): number => Math.max(FLOOR, p50.at(-1) ?? 0) / Math.max(FLOOR, p50[0] ?? 0)

/** How the SDK's own queries grow with their tables, and what the checks catch. */
export const bench: Bench = {
  about:
    'The SDK’s own queries at 10 thousand, 1 million and 10 million rows; what the checks catch; our layer’s share.',
  options: '--rows 10000,1000000 --rounds 15 --keep FOLDER --fill-only',
  heavy: true,
  async run({ args, say }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        rows: { type: 'string', default: '10000,1000000,10000000' },
        rounds: { type: 'string', default: '15' },
        // Filling takes most of the time: a folder that is kept is only filled where something has changed.
        keep: { type: 'string' },
        'fill-only': { type: 'boolean', default: false },
      },
    })
    const sizes = values.rows.split(',').map(Number)
    const root = values.keep ?? mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
    mkdirSync(root, { recursive: true })
    chmodSync(root, 0o755)
    const postgres = await startPostgres({ dataDir: join(root, 'state'), durable: false, settings: SETTINGS })
    try {
      const clients: pg.Client[] = []
      for (const rows of sizes) {
        const began = performance.now()
        clients.push(await filledDatabase(postgres, rows, say))
        say(`${rows} rows of each table are there after ${round((performance.now() - began) / 1000, 0)} s`)
      }
      if (values['fill-only']) {
        for (const client of clients) await client.end()
        return { figures: { rows: sizes }, report: 'Filled.' }
      }
      const measured = await measure(clients, Number(values.rounds))
      for (const client of clients) await client.end()
      const { fixtures, caught, alarms } = await checks(postgres)
      const { url, drop } = await freshPool(postgres)
      const share = await overhead(url, 1000)
      await drop()

      const worst = measured.reduce((most, one) => Math.max(most, ratioOf(one)), 0)
      const figures = {
        worstRatio: round(worst),
        sequentialScans: measured.filter((one) => one.faults.some((fault) => /^reads all/.test(fault)))
          .length,
        caught,
        fixtures,
        falseAlarms: alarms,
        overhead: share,
        rows: sizes,
        queries: measured.map((one) => ({
          name: one.name,
          statement: one.statement,
          p50Ms: one.p50.map((each) => round(each, 3)),
          ratio: round(ratioOf(one)),
          faults: one.faults,
          plan: one.plan,
        })),
      }
      const report = [
        table(
          ['query', ...sizes.map((size) => `${size} rows, ms`), 'ratio', 'statement'],
          measured.map((one) => [
            one.name,
            ...one.p50.map((each) => round(each, 3)),
            round(ratioOf(one)),
            one.statement.slice(0, 50).replaceAll('|', '/'),
          ]),
        ),
        '',
        ...measured.map(
          (one) => `${one.name}: ${one.statement.slice(0, 80)}\n${one.plan.replace(/^/gm, '  ')}`,
        ),
        '',
        `Times are the server’s own, planning and execution, the rows in memory; below ${FLOOR} ms they count as ${FLOOR} ms in the ratio.`,
        ...measured.flatMap((one) => one.faults.map((fault) => `${one.name}: ${fault}`)),
        `Caught ${caught} of ${fixtures}, ${alarms} false alarms; our layer adds ${round(share * 100, 1)} % to a statement.`,
      ]
      return { figures, report: report.join('\n') }
    } finally {
      await postgres.stop()
      if (values.keep === undefined) rmSync(root, { recursive: true, force: true })
    }
  },
}
