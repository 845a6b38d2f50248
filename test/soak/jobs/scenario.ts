import {
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
  made: number
}

const quick = { attempts: 6, base: '1 s', max: '20 s' } as const

/** The application under test. */
export interface App {
  readonly jobs: Jobs
  readonly book: Book
  /** One thing that users do. */
  request(): Promise<void>
}

/** Jobs of every kind, and users who make them. */
export function appOf(world: World, db: JobsDatabase, queue: SimQueue): App {
  const { random } = world
  const book: Book = { repeatedSteps: 0, early: 0, cancelled: new Set(), keys: new Map(), made: 0 }
  const known = new Set<string>()
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
  const pay = job(
    'pay',
    { input: z.object({ order: z.string() }), retry: quick, timeout: '20 s', priority: 3 },
    async ({ input, tx, id }) => {
      await write(tx, id, 'pay', input.order)
      trouble()
      if (random.chance(0.2)) await jobs.enqueue(child, {}, { tx, key: `of:${id}` })
      trouble()
    },
  )
  const stepped = job(
    'stepped',
    { input: z.object({}), transaction: false, retry: quick },
    async ({ step }) => {
      for (const name of ['charge', 'mail']) {
        await step(name, async ({ key }) => {
          if (known.has(key)) book.repeatedSteps++
          await world.turn(`provider ${name}`, async () => {})
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
  const jobs = createJobs({
    db,
    queue,
    jobs: [child, pay, stepped, limited, total, tick],
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
      const made = await enqueue(pay, { order: id }, random.chance(0.1) ? { delay: random.integer(100) } : {})
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
  const acts: (() => Promise<unknown>)[] = [
    order,
    order,
    order,
    order,
    keyed,
    cancel,
    () => jobs.enqueue(stepped, {}),
    () => jobs.enqueue(limited, { tenant: `t${random.integer(2)}` }),
    () => jobs.enqueue(child, {}, { debounce: { key: `d${random.integer(2)}`, wait: '5 s' } }),
    () =>
      jobs.batch(
        Array.from({ length: random.integer(5) }, () => member(child, {})),
        { after: member(total, {}) },
      ),
    () => jobs.enqueueMany(child, [{}, {}, {}]),
  ]
  return {
    jobs,
    book,
    request: async () => {
      await random.pick(acts)()
    },
  }
}
