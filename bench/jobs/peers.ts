// @ts-nocheck: what it imports is installed for the bench alone, and this is checked without it.
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { createJobs, type JobMessage, job } from '../../src/jobs/index.ts'

/** Something that makes jobs and runs them. */
export interface Contender {
  readonly name: string
  /** Makes so many jobs, a hundred at a time. */
  make(count: number): Promise<void>
  /** Runs all that there are, a hundred at a time; tells each. */
  drain(count: number, ran: (n: number) => void): Promise<void>
  stop(): Promise<void>
}

const BATCH = 100

/** Batches at once: Queues calls several consumers, and graphile-worker fetches ahead. */
const LANES = 2

/** Runs something in so many lanes. */
const inLanes = (lane: () => Promise<void>): Promise<unknown> =>
  Promise.all(Array.from({ length: LANES }, lane))

/** Counts what every `pg` client of this process asks of Postgres. */
export function countStatements(clients: readonly { Client: { prototype: object } }[]): { take(): number } {
  let count = 0
  // Two names may lead to one module.
  for (const each of new Set(clients.map(({ Client }) => Client.prototype))) {
    const prototype = each as { query: (...args: unknown[]) => unknown }
    const { query } = prototype
    prototype.query = function (this: unknown, ...args: unknown[]) {
      count++
      return query.apply(this, args)
    }
  }
  return {
    take: () => {
      const taken = count
      count = 0
      return taken
    },
  }
}

/** What a schema must be for a job of one number. */
const numbered = {
  '~standard': {
    version: 1,
    vendor: 'bench',
    validate: (value: unknown) => ({ value: value as { n: number } }),
  },
} as const

/** Breakwater: Postgres by `pg`, the queue an array. */
export function breakwater(url: string): Contender & { readonly pool: pg.Pool } {
  const pool = new pg.Pool({ connectionString: url, max: 4 })
  const sent: JobMessage[] = []
  let tell: (n: number) => void = () => {}
  const noop = job('noop', { input: numbered, transaction: false }, ({ input }) =>
    tell((input as { n: number }).n),
  )
  const jobs = createJobs({
    db: drizzle({ client: pool }),
    jobs: [noop],
    concurrency: BATCH,
    queue: {
      send: async (body) => void sent.push(body),
      sendBatch: async (messages) => {
        for (const { body } of messages) sent.push(body)
      },
    },
  })
  return {
    name: 'breakwater',
    pool,
    async make(count) {
      for (let i = 0; i < count; i += BATCH) {
        await jobs.enqueueMany(
          noop,
          Array.from({ length: Math.min(BATCH, count - i) }, (_, k) => ({ n: i + k })),
        )
      }
    },
    async drain(_, ran) {
      tell = ran
      await inLanes(async () => {
        while (sent.length > 0) {
          const messages = sent
            .splice(0, BATCH)
            .map((body) => ({ id: '', body, attempts: 1, ack() {}, retry() {} }))
          await jobs.consume({ queue: 'jobs', messages })
        }
      })
    },
    stop: () => pool.end(),
  }
}

/** pg-boss, fetching and completing by hand, without its timers. */
export async function pgBoss(url: string): Promise<Contender> {
  const { PgBoss } = (await import(peer('pg-boss'))) as typeof import('../node_modules/pg-boss/dist/index.js')
  const boss = new PgBoss({ connectionString: url, max: 4, supervise: false, schedule: false })
  boss.on('error', () => {})
  await boss.start()
  await boss.createQueue('noop')
  return {
    name: 'pg-boss',
    async make(count) {
      for (let i = 0; i < count; i += BATCH) {
        await boss.insert(
          'noop',
          Array.from({ length: Math.min(BATCH, count - i) }, (_, k) => ({ data: { n: i + k } })),
        )
      }
    },
    async drain(_, ran) {
      await inLanes(async () => {
        for (;;) {
          const found = await boss.fetch<{ n: number }>('noop', { batchSize: BATCH })
          if (found.length === 0) return
          for (const { data } of found) ran(data.n)
          await boss.complete(
            'noop',
            found.map(({ id }) => id),
          )
        }
      })
    },
    stop: () => boss.stop({ graceful: false }),
  }
}

/** graphile-worker, its local queue and its batched completion on. */
export async function graphile(url: string): Promise<Contender> {
  const { makeWorkerUtils, runOnce, Logger } = (await import(
    peer('graphile-worker')
  )) as typeof import('../node_modules/graphile-worker/dist/index.js')
  const logger = new Logger(() => () => {})
  const pool = new pg.Pool({ connectionString: url, max: 12 })
  pool.on('error', () => {})
  const utils = await makeWorkerUtils({ pgPool: pool, logger })
  await utils.migrate()
  return {
    name: 'graphile-worker',
    async make(count) {
      for (let i = 0; i < count; i += BATCH) {
        await utils.addJobs(
          Array.from({ length: Math.min(BATCH, count - i) }, (_, k) => ({
            identifier: 'noop',
            payload: { n: i + k },
          })),
        )
      }
    },
    async drain(_, ran) {
      await runOnce({
        pgPool: pool,
        logger,
        preset: {
          worker: { concurrentJobs: 10, completeJobBatchDelay: 0, localQueue: { size: BATCH } },
        } as never,
        taskList: { noop: async (payload) => ran((payload as { n: number }).n) },
        noHandleSignals: true,
      })
    },
    async stop() {
      await utils.release()
      await pool.end()
    },
  }
}

/** Where a peer's entry lies. */
export function peer(name: string): string {
  return import.meta.resolve(`../node_modules/${name}/${name === 'pg' ? 'esm/index.mjs' : 'dist/index.js'}`)
}
