import {
  type AnyJob,
  createJobs,
  type JobState,
  type Jobs,
  type JobsDatabase,
  type JobsTransaction,
  job,
  member,
  PermanentError,
  RetryLater,
  schedule,
  type TransactionalJobContext,
} from 'breakwater/jobs'
import { sql } from 'drizzle-orm'
import { z } from 'zod'
import type { SimQueue } from './queue.ts'
import type { World } from './world.ts'

/** What the outside has seen: the judge's own book. */
export interface Book {
  /** How often a step's function was called after its result was known to the handler. */
  repeatedSteps: number
  /** Completions that ran while a member had not ended. */
  early: number
  /** Jobs whose cancelling was confirmed. */
  readonly cancelled: Set<string>
  /** Ids that enqueueing under a key has told. */
  readonly keys: Map<string, Set<string>>
  /** Steps whose result a handler has seen. */
  readonly known: Set<string>
  made: number
}

const quick = { attempts: 6, base: '1 s', max: '20 s' } as const

/** An empty book. */
export const newBook = (): Book => ({
  repeatedSteps: 0,
  early: 0,
  cancelled: new Set(),
  keys: new Map(),
  known: new Set(),
  made: 0,
})

/** What users do. */
export const ACTS = ['order', 'keyed', 'cancel', 'step', 'limit', 'debounce', 'batch', 'many'] as const

/** The application under test. */
export interface App {
  readonly jobs: Jobs
  /** One thing that users do; by chance, if it is not said. */
  request(act?: (typeof ACTS)[number]): Promise<void>
}

/**
 * Jobs of every kind, and users who make them.
 * @param release 2 knows a job that 1 does not, and has raised the version of another.
 */
export function appOf(world: World, db: JobsDatabase, queue: SimQueue, book: Book, release: 1 | 2): App {
  const { random } = world
  const { known } = book
  const trouble = (): void => {
    if (!world.chaos) return
    const fate = random()
    if (fate < 0.08) throw new Error('failed')
    if (fate < 0.1) throw new RetryLater(random.integer(30))
    if (fate < 0.11) throw new PermanentError('never')
  }
  const write = (tx: JobsTransaction, id: string, kind: string, note = '') =>
    tx.execute(sql`insert into sim.ledger values (${id}, ${kind}, ${note})`)

  const child = job('child', { input: z.object({}), retry: quick }, async ({ tx, id }) => {
    trouble()
    await write(tx, id, 'child')
  })
  const options = { retry: quick, timeout: '20 s', priority: 3 } as const
  const paid = async ({ input, tx, id }: TransactionalJobContext<{ order: string }>): Promise<void> => {
    await write(tx, id, 'pay', input.order)
    trouble()
    if (random.chance(0.2)) await jobs.enqueue(child, {}, { tx, key: `of:${id}` })
    trouble()
  }
  const upgrade = { 1: (old: object) => ({ ...old, currency: 'EUR' }) }
  const pay: AnyJob =
    release === 1
      ? job('pay', { ...options, input: z.object({ order: z.string() }) }, paid)
      : job(
          'pay',
          {
            ...options,
            version: 2,
            upgrade,
            input: z.object({ order: z.string(), currency: z.enum(['EUR', 'CHF']) }),
          },
          paid,
        )
  const stepped = job(
    'stepped',
    { input: z.object({}), transaction: false, retry: quick },
    async ({ step }) => {
      for (const name of ['charge', 'mail']) {
        await step(name, async ({ key }) => {
          if (known.has(key)) book.repeatedSteps++
          await world.outside('provider', `provider ${name}`, async () => {})
          trouble()
          return { key }
        }).then(({ key }) => known.add(key))
        trouble()
      }
    },
  )
  const limited = job(
    'limited',
    {
      input: z.object({ tenant: z.string() }),
      retry: quick,
      limit: { key: ({ tenant }) => tenant, concurrency: 1, rate: { count: 5, per: '10 s' } },
    },
    async ({ tx, id }) => {
      await write(tx, id, 'limited')
      trouble()
    },
  )
  const total = job('total', { input: z.object({}), retry: quick }, async ({ tx, id }) => {
    const open = await tx.execute(
      sql`select 1 from breakwater.jobs where batch_id = ${id} and state in ('pending', 'running') and batch_open`,
    )
    if ((open as unknown as { rows: unknown[] }).rows.length > 0) book.early++
    await write(tx, id, 'total')
    trouble()
  })
  const tick = job(
    'tick',
    { input: z.object({ at: z.string() }), retry: { ...quick, attempts: 50 } },
    async ({ tx, id, input }) => {
      await write(tx, id, 'tick', input.at)
      if (world.chaos && random.chance(0.1)) throw new Error('failed')
    },
  )
  const audit = job('audit', { input: z.object({}), retry: quick }, async ({ tx, id }) => {
    await write(tx, id, 'audit')
    trouble()
  })
  const jobs = createJobs({
    db,
    queue,
    jobs: [child, pay, stepped, limited, total, tick, ...(release === 2 ? [audit] : [])],
    schedules: [
      schedule('five', {
        cron: '*/5 * * * *',
        timeZone: 'Europe/Berlin',
        job: tick,
        input: (at) => ({ at: at.toISOString() }),
        missed: 'all',
      }),
    ],
    keep: { done: '60 d', dead: '60 d' },
    reporter: { captureException: () => {}, captureMessage: () => {} },
    random,
    log: () => {},
  })

  const order = async (): Promise<void> => {
    const id = `o${++book.made}`
    await jobs.transaction(async (tx, enqueue) => {
      const input = release === 1 ? { order: id } : { order: id, currency: 'CHF' }
      const made = await enqueue(pay, input, random.chance(0.1) ? { delay: random.integer(100) } : {})
      if (release === 2 && random.chance(0.3)) await enqueue(audit, {})
      await tx.execute(sql`insert into sim.orders values (${id}, ${made})`)
      if (world.chaos && random.chance(0.1)) throw new Error('changed my mind')
    })
  }
  const keyed = async (): Promise<void> => {
    const key = `k${random.integer(4)}`
    const id = await jobs.enqueue(child, {}, { key })
    const ids = book.keys.get(key) ?? new Set()
    book.keys.set(key, ids.add(id))
  }
  const cancel = async (): Promise<void> => {
    const [one] = (await jobs.list({ limit: 20 })).filter(
      ({ state }: { state: JobState }) => state === 'pending' || state === 'running',
    )
    if (one !== undefined && one.type !== 'tick' && (await jobs.cancel({ ids: [one.id] })) === 1)
      book.cancelled.add(one.id)
  }
  const acts: Readonly<Record<(typeof ACTS)[number], () => Promise<unknown>>> = {
    order,
    keyed,
    cancel,
    step: () => jobs.enqueue(stepped, {}),
    limit: () => jobs.enqueue(limited, { tenant: `t${random.integer(2)}` }),
    debounce: () =>
      jobs.enqueue(child, {}, { debounce: { key: `d${random.integer(2)}`, wait: '5 s', maxWait: '20 s' } }),
    batch: () =>
      jobs.batch(
        Array.from({ length: random.integer(5) }, () => member(child, {})),
        { after: member(total, {}) },
      ),
    many: () => jobs.enqueueMany(child, [{}, {}, {}]),
  }
  return {
    jobs,
    request: async (act) => {
      // Orders are what most people do.
      await acts[act ?? (random.chance(0.3) ? 'order' : random.pick(ACTS))]()
    },
  }
}
