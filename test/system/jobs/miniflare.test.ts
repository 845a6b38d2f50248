import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'

// The worker's own entries in workerd, with Queues and Workflows as Miniflare has them.
const asked = new Map<string, number>()
let scratch: ScratchDatabase
let outside: Server
let miniflare: Miniflare

beforeAll(async () => {
  scratch = await scratchDatabase()
  await scratch.pool.query('create table public.ledger (job uuid not null)')
  outside = createServer((request, reply) => {
    asked.set(request.url ?? '', (asked.get(request.url ?? '') ?? 0) + 1)
    reply.end('ok')
  })
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'worker/app.ts')],
    bundle: true,
    format: 'esm',
    write: false,
    external: ['cloudflare:*', 'node:*'],
    conditions: ['workerd', 'worker', 'browser'],
    tsconfig: join(import.meta.dirname, '../../../tsconfig.json'),
  })
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      name: 'jobs-test',
      modules: true,
      script: outputFiles[0]?.text ?? '',
      compatibilityDate: '2026-10-01',
      compatibilityFlags: ['nodejs_compat'],
      host: '127.0.0.1',
      port: 0,
      bindings: {
        DATABASE_URL: scratch.url,
        NEON_ENDPOINT: scratch.endpoint,
        OUTSIDE: `http://127.0.0.1:${(outside.address() as AddressInfo).port}`,
      },
      queueProducers: { JOBS: 'jobs' },
      queueConsumers: { jobs: { maxBatchSize: 10, maxBatchTimeout: 0, maxRetries: 5 } },
      workflows: { LONG: { name: 'long', className: 'Long' } },
    }),
  )
  await miniflare.ready
})

afterEach(() => asked.clear())

afterAll(async () => {
  await miniflare?.dispose()
  outside?.close()
})

async function make(path: string): Promise<string[]> {
  const reply = await miniflare.dispatchFetch(`http://worker.test/${path}`)
  return (await reply.json()) as string[]
}

interface Row {
  state: string
  attempt: number
  failure: string | null
}

async function ended(id: string): Promise<Row> {
  for (let i = 0; i < 600; i++) {
    const { rows } = await scratch.pool.query<Row>(
      'select state, attempt, failure from breakwater.jobs where id = $1',
      [id],
    )
    if (rows[0] && rows[0].state !== 'pending' && rows[0].state !== 'running') return rows[0]
    await sleep(50)
  }
  throw new Error(`Job ${id} has not ended`)
}

describe('the worker’s queue entry', () => {
  it('makes the effect of a job happen once, however many messages there are, in one batch and in several at once', async () => {
    const ids = await make('effect?count=6')
    const worker = await miniflare.getWorker()
    const batch = (): unknown =>
      worker.queue(
        'jobs',
        [...ids, ...ids, ...ids.toReversed()].map((id, i) => ({
          id: `m${i}`,
          timestamp: new Date(),
          attempts: 1,
          body: { v: 1, id },
        })),
      )
    await Promise.all([batch(), batch(), batch()])
    for (const id of ids) expect(await ended(id)).toMatchObject({ state: 'done', attempt: 1 })
    await batch()
    const { rows } = await scratch.pool.query<{ n: number }>(
      'select count(*)::int as n from public.ledger where job = any($1::uuid[]) group by job',
      [ids],
    )
    expect(rows.map(({ n }) => n)).toEqual(ids.map(() => 1))
  })

  it('acknowledges what is none of ours, and what is over', async () => {
    const [id] = await make('mail')
    expect(await ended(id ?? '')).toMatchObject({ state: 'done' })
    const worker = await miniflare.getWorker()
    const result = await worker.queue('jobs', [
      { id: 'over', timestamp: new Date(), attempts: 1, body: { v: 1, id } },
      { id: 'foreign', timestamp: new Date(), attempts: 1, body: 'hello' },
    ])
    expect(result).toMatchObject({ outcome: 'ok', retryMessages: [] })
    expect([...result.explicitAcks].sort()).toEqual(['foreign', 'over'])
  })
})

describe('a job that runs on Workflows', () => {
  const keys = (kind: string): [string, number][] =>
    [...asked].filter(([path]) => path.startsWith(`/${kind}/`))

  it('is started by the queue, does each step once, and is done', async () => {
    const [id] = await make('long')
    expect(await ended(id ?? '')).toEqual({ state: 'done', attempt: 1, failure: null })
    expect(keys('charge')).toEqual([[`/charge/${id}:charge`, 1]])
    expect(keys('ship')).toEqual([[`/ship/${id}:ship`, 1]])
  })

  it('is tried again by the same rules as every job, and goes on where it stopped', async () => {
    const [id] = await make('long?trouble=once')
    expect(await ended(id ?? '')).toEqual({ state: 'done', attempt: 2, failure: null })
    // The first attempt’s charge was remembered in the row, past the end of its workflow.
    expect(keys('charge')).toEqual([[`/charge/${id}:charge`, 1]])
    expect(keys('ship')).toEqual([[`/ship/${id}:ship`, 1]])
  })

  it('is dead at once when a step says that it is for good', async () => {
    const [id] = await make('long?trouble=for+good')
    expect(await ended(id ?? '')).toEqual({ state: 'dead', attempt: 1, failure: 'PermanentError' })
  })
})
