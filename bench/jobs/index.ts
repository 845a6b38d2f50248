import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import '../support/self.ts'
import { drizzle } from 'drizzle-orm/node-postgres'
import { createJobs } from '../../src/jobs/index.ts'
import { migrate, startPostgres } from '../../src/local/postgres/index.ts'
import type { Bench } from '../support/bench.ts'
import { numbers } from '../support/flags.ts'
import { median, round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { breakwater, type Contender, countStatements, graphile, peer, pgBoss } from './peers.ts'

/** Jobs end to end beside those who keep theirs in Postgres too. */
export const bench: Bench = {
  about:
    'Jobs per second and round trips beside pg-boss and graphile-worker; latency; idle cost; a large table.',
  options: '--jobs N --rounds N --rows N',
  heavy: true,
  async run({ args, say }) {
    const { jobs, rounds, rows } = numbers(args, { jobs: 5000, rounds: 3, rows: 10_000_000 })
    const root = mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
    const server = await startPostgres({ dataDir: root, durable: false })
    const other = (await import(peer('pg'))) as { Client: typeof pg.Client }
    const statements = countStatements([pg, other])
    const contenders: Contender[] = []
    try {
      await migrate({ url: server.url, folder: 'drizzle' })
      const own = breakwater(server.url)
      contenders.push(own, await pgBoss(server.url), await graphile(server.url))
      const measured = new Map(
        contenders.map(({ name }) => [name, { rates: [] as number[], trips: [] as number[] }]),
      )
      let [lost, doubled] = [0, 0]
      for (let n = 0; n <= rounds; n++) {
        for (const one of contenders) {
          const count = n === 0 ? 500 : jobs
          const seen = new Map<number, number>()
          statements.take()
          const began = performance.now()
          await one.make(count)
          await one.drain(count, (job) => seen.set(job, (seen.get(job) ?? 0) + 1))
          const seconds = (performance.now() - began) / 1000
          if (n === 0) continue
          measured.get(one.name)?.rates.push(count / seconds)
          measured.get(one.name)?.trips.push(statements.take() / count)
          if (one === own) {
            lost += count - seen.size
            doubled += [...seen.values()].filter((times) => times > 1).length
          }
        }
        say(n === 0 ? 'warm' : `round ${n} of ${rounds}`)
      }
      const latency = await latencies(own)
      const idle = await idleMinute(own.pool, statements)
      const claim = await largeTable(own.pool, rows, say)
      const of = (name: string) => measured.get(name) ?? { rates: [], trips: [] }
      const ratio = (name: string): number =>
        round(median(of('breakwater').rates.map((rate, i) => rate / (of(name).rates[i] ?? Number.NaN))))
      const figures = {
        perSecond: Math.round(median(of('breakwater').rates)),
        ratioToPgBoss: ratio('pg-boss'),
        ratioToGraphile: ratio('graphile-worker'),
        roundTripsPerJob: round(median(of('breakwater').trips), 4),
        roundTripsPerJobPgBoss: round(median(of('pg-boss').trips), 4),
        roundTripsPerJobGraphile: round(median(of('graphile-worker').trips), 4),
        lost,
        doubled,
        ...latency,
        idleQueriesPerMinute: idle,
        ...claim,
      }
      const report = [
        table(
          ['contender', 'jobs/s', 'round trips a job'],
          [...measured].map(([name, { rates, trips }]) => [
            name,
            Math.round(median(rates)),
            round(median(trips), 4),
          ]),
        ),
        '',
        table(['figure', 'value'], Object.entries(figures)),
        '',
        'Made and run in batches of 100, two at once, by one process on one Postgres, without durability, everybody by pg over TCP. The queue of Breakwater is an array: what a real one and the way to Neon add is not in these figures.',
      ]
      return { figures, report: report.join('\n') }
    } finally {
      for (const one of contenders) await one.stop().catch(() => {})
      await server.stop()
      rmSync(root, { recursive: true, force: true })
    }
  },
}

/** From the commit of one job to the start of its handler, at rest. */
async function latencies(one: Contender): Promise<{ startP50Ms: number; startP99Ms: number }> {
  const times: number[] = []
  for (let i = 0; i < 300; i++) {
    await one.make(1)
    const committed = performance.now()
    await one.drain(1, () => times.push(performance.now() - committed))
  }
  times.sort((a, b) => a - b)
  return { startP50Ms: round(times[150] ?? 0), startP99Ms: round(times[297] ?? 0) }
}

/** What one cron tick asks of Postgres when there is nothing to do. */
async function idleMinute(pool: pg.Pool, statements: { take(): number }): Promise<number> {
  const queue = { send: async () => {}, sendBatch: async () => {} }
  const jobs = createJobs({ db: drizzle({ client: pool }), jobs: [], queue })
  await jobs.cron()
  statements.take()
  await jobs.cron()
  return statements.take()
}

/** How long claiming one job takes beside no finished jobs, and beside very many. */
async function largeTable(
  pool: pg.Pool,
  rows: number,
  say: (line: string) => void,
): Promise<Record<string, number>> {
  const { claim } = await import('../../src/jobs/lease.ts')
  const db = drizzle({ client: pool })
  const once = async (): Promise<number> => {
    const { rows: made } = await pool.query<{ id: string }>(
      `insert into breakwater.jobs (id, type, version, input, state, run_at, max_attempts, lease_ms, send_after)
        select uuidv7(), 'noop', 1, '{}', 'pending', now(), 8, 90000, now() from generate_series(1, 300) returning id`,
    )
    const times: number[] = []
    for (const { id } of made) {
      const began = performance.now()
      await claim(db, [id], true)
      times.push(performance.now() - began)
    }
    await pool.query('delete from breakwater.jobs where id = any($1::uuid[])', [made.map(({ id }) => id)])
    return median(times)
  }
  await pool.query('truncate breakwater.jobs')
  await once()
  const none = await once()
  say(`writing ${rows} finished jobs`)
  for (let done = 0; done < rows; done += 500_000) {
    await pool.query(
      `insert into breakwater.jobs (id, type, version, input, state, run_at, attempt, max_attempts, lease_ms, send_after, finished_at)
        select uuidv7(), 'noop', 1, '{}', 'done', now(), 1, 8, 90000, now(), now() from generate_series(1, $1::int)`,
      [Math.min(500_000, rows - done)],
    )
  }
  await pool.query('analyze breakwater.jobs')
  await once()
  const many = await once()
  return {
    finishedRows: rows,
    claimMs: round(none, 3),
    claimMsLarge: round(many, 3),
    claimRatioLarge: round(many / none),
  }
}
