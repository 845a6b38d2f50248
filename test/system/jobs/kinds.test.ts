import { createJobs, type JobsOptions, job, member, PermanentError, schedule } from 'breakwater/jobs'
import { sql } from 'drizzle-orm'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { TestQueue } from './support.ts'

let scratch: ScratchDatabase
let queue: TestQueue
const nothing = z.object({})
const quiet = { captureException: () => {}, captureMessage: () => {} }
const make = (options: Omit<JobsOptions, 'db' | 'queue'>) =>
  createJobs({ db: scratch.db, queue, reporter: quiet, log: () => {}, ...options })
const query = async (text: string) => (await scratch.pool.query(text)).rows as Record<string, unknown>[]

beforeAll(async () => {
  scratch = await scratchDatabase()
})
beforeEach(() => {
  queue = new TestQueue()
})
afterEach(() =>
  scratch.pool.query('truncate breakwater.jobs, breakwater.job_schedules, breakwater.job_lanes'),
)

describe('steps', () => {
  it('are not done again by a retry, and keep their key', async () => {
    const calls: string[] = []
    const pay = job(
      'pay',
      { input: nothing, transaction: false, retry: { attempts: 3, base: 1, max: 1 } },
      async ({ step, attempt, id }) => {
        const charge = await step('charge', ({ key }) => {
          calls.push(key)
          return { receipt: 7, at: undefined }
        })
        expect(charge).toEqual({ receipt: 7 })
        await step('mail', ({ key }) => {
          calls.push(key)
          expect(key).toBe(`${id}:mail`)
          if (attempt === 1) throw new Error('no mail')
        })
      },
    )
    const jobs = make({ jobs: [pay] })
    const id = await jobs.enqueue(pay, {})
    expect(await jobs.run(id)).toBe('retried')
    await query('update breakwater.jobs set run_at = now()')
    expect(await jobs.run(id)).toBe('done')
    expect(calls).toEqual([`${id}:charge`, `${id}:mail`, `${id}:mail`])
  })

  it('are kept when the handler’s transaction is rolled back', async () => {
    let charged = 0
    const pay = job('pay', { input: nothing, retry: { base: 1, max: 1 } }, async ({ step, tx, attempt }) => {
      await tx.execute(sql`select 1`)
      await step('charge', () => ++charged)
      if (attempt === 1) throw new Error('after')
    })
    const jobs = make({ jobs: [pay] })
    const id = await jobs.enqueue(pay, {})
    await jobs.run(id)
    await query('update breakwater.jobs set run_at = now()')
    expect(await jobs.run(id)).toBe('done')
    expect(charged).toBe(1)
  })

  it('refuse a name that is there twice', async () => {
    const twice = job('twice', { input: nothing, retry: { attempts: 1 } }, async ({ step }) => {
      await step('a', () => 1)
      await step('a', () => 2)
    })
    const jobs = make({ jobs: [twice] })
    const id = await jobs.enqueue(twice, {})
    expect(await jobs.run(id)).toBe('dead')
    expect((await jobs.status(id))?.failureDetail).toContain('there twice')
  })
})

describe('progress and cancelling', () => {
  it('shows how far a job is, and stops one that runs: its effect is rolled back', async () => {
    await query('create table if not exists effects (n int)')
    const started = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    const long = job('long', { input: nothing }, async ({ tx, progress }) => {
      await tx.execute(sql`insert into effects values (1)`)
      await progress({ done: 1, of: 3 })
      started.resolve()
      await go.promise
    })
    const jobs = make({ jobs: [long] })
    const id = await jobs.enqueue(long, {})
    const running = jobs.run(id)
    await started.promise
    expect(await jobs.status(id)).toMatchObject({ state: 'running', progress: { done: 1, of: 3 } })
    expect(await jobs.cancel({ ids: [id] })).toBe(1)
    go.resolve()
    expect(await running).toBe('skipped')
    expect(await query('select * from effects')).toEqual([])
    expect(await jobs.status(id)).toMatchObject({ state: 'cancelled' })
  })

  it('aborts the signal of a cancelled job within seconds', async () => {
    const started = Promise.withResolvers<void>()
    let reason: unknown
    const long = job('long', { input: nothing, transaction: false }, async ({ signal }) => {
      started.resolve()
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason
          resolve()
        })
      })
    })
    const jobs = make({ jobs: [long] })
    const id = await jobs.enqueue(long, {})
    const running = jobs.run(id)
    await started.promise
    await jobs.cancel({ ids: [id] })
    expect(await running).toBe('skipped')
    expect(reason).toMatchObject({ name: 'JobCancelled' })
  })

  it('refuses to cancel everything by an empty filter', async () => {
    await expect(make({ jobs: [] }).cancel({})).rejects.toThrow(TypeError)
  })
})

describe('versions', () => {
  it('brings old inputs up to date, version by version', async () => {
    const seen: unknown[] = []
    const old = job('greet', { input: z.object({ name: z.string() }) }, () => {})
    const id = await make({ jobs: [old] }).enqueue(old, { name: 'Ada Lovelace' })
    const current = job(
      'greet',
      {
        version: 3,
        input: z.object({ first: z.string(), loud: z.boolean() }),
        upgrade: {
          1: ({ name }: { name: string }) => ({ first: name.split(' ')[0] }),
          2: (input: object) => ({ ...input, loud: false }),
        },
      },
      ({ input }) => void seen.push(input),
    )
    expect(await make({ jobs: [current] }).run(id)).toBe('done')
    expect(seen).toEqual([{ first: 'Ada', loud: false }])
  })
})

describe('debouncing', () => {
  it('makes one job of many calls, with the last input, and another once that has started', async () => {
    const seen: number[] = []
    const index = job('index', { input: z.object({ n: z.number() }) }, ({ input }) => void seen.push(input.n))
    const jobs = make({ jobs: [index] })
    const call = (n: number) =>
      jobs.enqueue(index, { n }, { debounce: { key: 'doc', wait: '1 h', maxWait: '2 h' } })
    const ids = [await call(1), await call(2), await call(3)]
    expect(new Set(ids).size).toBe(1)
    expect(queue.sent.length).toBe(1)
    await query(`update breakwater.jobs set run_at = now()`)
    expect(await jobs.run(ids[0] as string)).toBe('done')
    expect(seen).toEqual([3])
    expect(await call(4)).not.toBe(ids[0])
  })

  it('does not wait longer than maxWait', async () => {
    const index = job('index', { input: z.object({ n: z.number() }) }, () => {})
    const jobs = make({ jobs: [index] })
    const call = () =>
      jobs.enqueue(index, { n: 1 }, { debounce: { key: 'doc', wait: '1 h', maxWait: '2 h' } })
    const id = await call()
    await query(`update breakwater.jobs set created_at = now() - interval '3 hours'`)
    await call()
    expect(await jobs.run(id)).toBe('done')
  })
})

describe('limits by key', () => {
  it('keep others waiting without counting an attempt', async () => {
    let inside = 0
    let most = 0
    const go = Promise.withResolvers<void>()
    const call = job(
      'call',
      {
        input: z.object({ tenant: z.string() }),
        transaction: false,
        limit: { key: (i) => i.tenant, concurrency: 2 },
      },
      async () => {
        most = Math.max(most, ++inside)
        await go.promise
        inside--
      },
    )
    const jobs = make({ jobs: [call], concurrency: 10 })
    for (const tenant of ['a', 'a', 'a', 'a', 'b']) await jobs.enqueue(call, { tenant })
    const all = jobs.consume(queue.take().batch)
    await expect.poll(async () => (await jobs.list({ state: 'pending' })).length).toBe(2)
    go.resolve()
    expect((await all).sort()).toEqual(['done', 'done', 'done', 'waiting', 'waiting'])
    expect(most).toBe(3)
    expect((await jobs.list({ state: 'pending' })).map(({ attempt }) => attempt)).toEqual([0, 0])
    expect(await query('select holders from breakwater.job_lanes')).toEqual([
      { holders: {} },
      { holders: {} },
    ])
  })

  it('spread starts over time', async () => {
    const call = job('call', { input: nothing, limit: { rate: { count: 3, per: '1 h' } } }, () => {})
    const jobs = make({ jobs: [call] })
    await jobs.enqueueMany(call, [{}, {}, {}, {}, {}])
    expect((await jobs.consume(queue.take().batch)).sort()).toEqual([
      'done',
      'done',
      'done',
      'waiting',
      'waiting',
    ])
    // Whoever found the lane being changed looks again in a second; whoever was refused waits for the next start.
    const [row] = await query(
      `select max(extract(epoch from run_at - now()))::int as s from breakwater.jobs where state = 'pending'`,
    )
    expect(row?.['s']).toBeGreaterThan(1100)
  })
})

describe('batches', () => {
  it('start their completion once, when the last member has ended, however it ended', async () => {
    let sums = 0
    const part = job('part', { input: z.object({ n: z.number() }) }, ({ input }) => {
      if (input.n === 2) throw new PermanentError('no')
    })
    const sum = job('sum', { input: nothing }, () => void sums++)
    const jobs = make({ jobs: [part, sum] })
    const id = await jobs.batch(
      [1, 2, 3, 4].map((n) => member(part, { n })),
      { after: member(sum, {}) },
    )
    expect(queue.sent.length).toBe(4)
    expect(await jobs.run(id)).toBe('skipped')
    const [last] = await jobs.list({ batch: id, limit: 1 })
    expect(await jobs.cancel({ ids: [last?.id as string] })).toBe(1)
    await jobs.consume(queue.take().batch)
    expect(queue.sent.map(({ body }) => body.id)).toEqual([id])
    expect(await jobs.consume(queue.take().batch)).toEqual(['done'])
    expect(sums).toBe(1)
    // A member that is replayed is not counted again.
    await jobs.replay({ batch: id })
    await jobs.consume(queue.take().batch)
    expect(queue.sent).toEqual([])
  })

  it('with no members complete at once, and leave nothing when their transaction is rolled back', async () => {
    const sum = job('sum', { input: nothing }, () => {})
    const jobs = make({ jobs: [sum] })
    const id = await jobs.batch([], { after: member(sum, {}) })
    expect(await jobs.run(id)).toBe('done')
    await expect(
      jobs.transaction(async (tx) => {
        await jobs.batch([member(sum, {})], { after: member(sum, {}), tx })
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect((await jobs.list()).length).toBe(1)
  })
})

describe('schedules', () => {
  const report = job('report', { input: z.object({ at: z.string() }) }, () => {})
  const every = (missed: 'skip' | 'latest' | 'all') =>
    schedule('hourly', { cron: '0 * * * *', job: report, input: (at) => ({ at: at.toISOString() }), missed })
  const back = (hours: number) =>
    query(
      `update breakwater.job_schedules set last_tick = date_trunc('hour', now()) - interval '${hours} hours'`,
    )

  it('begin when first seen, and make one job a tick, even when many try at once', async () => {
    const jobs = make({ jobs: [report], schedules: [every('all')] })
    expect(await jobs.tick()).toBe(0)
    await back(3)
    const made = await Promise.all(Array.from({ length: 6 }, () => jobs.tick()))
    expect(made.reduce((a, b) => a + b)).toBe(3)
    expect((await query('select key from breakwater.jobs')).length).toBe(3)
    expect(await jobs.tick()).toBe(0)
  })

  it.each([
    ['latest', 1],
    ['skip', 0],
  ] as const)('missed, run by the policy "%s"', async (missed, expected) => {
    const jobs = make({ jobs: [report], schedules: [every(missed)] })
    await jobs.tick()
    // The last tick lies at least two minutes back.
    await query(
      `update breakwater.job_schedules set last_tick = date_trunc('hour', now()) - interval '3 hours'`,
    )
    const [{ late } = {}] = await query(`select extract(minute from now()) >= 3 as late`)
    const made = await jobs.tick()
    expect(made).toBe(missed === 'skip' && !late ? 1 : expected)
  })

  it('cost one round trip in a minute with nothing to do', async () => {
    const jobs = make({ jobs: [report], schedules: [every('latest')] })
    await jobs.cron()
    await query(`update breakwater.job_schedules set last_tick = now()`)
    await fetch(`${scratch.endpoint}/__breakwater/stats`, { method: 'DELETE' })
    await jobs.cron()
    const stats = (await (await fetch(`${scratch.endpoint}/__breakwater/stats`)).json()) as { total: number }
    expect(stats.total).toBeLessThanOrEqual(3)
  })
})

describe('large inputs', () => {
  it('lie in the object store until their job is pruned', async () => {
    const objects = new Map<string, string>()
    const bucket = {
      put: async (key: string, value: string) => void objects.set(key, value),
      get: async (key: string) => {
        const value = objects.get(key)
        return value === undefined ? null : { text: async () => value }
      },
      delete: async (keys: string[]) => {
        for (const key of keys) objects.delete(key)
      },
    }
    let length = 0
    const big = job('big', { input: z.object({ text: z.string() }) }, ({ input }) => {
      length = input.text.length
    })
    const jobs = make({ jobs: [big], payloads: { bucket, above: 100 } })
    const id = await jobs.enqueue(big, { text: 'x'.repeat(500_000) })
    await jobs.enqueue(big, { text: 'small' })
    expect([...objects.keys()]).toEqual([`jobs/${id}.json`])
    expect(await query(`select input from breakwater.jobs where id = '${id}'`)).toEqual([{ input: null }])
    expect(await jobs.run(id)).toBe('done')
    expect(length).toBe(500_000)
    await query(`update breakwater.jobs set finished_at = now() - interval '8 days' where id = '${id}'`)
    expect((await jobs.sweep()).pruned).toBe(1)
    expect(objects.size).toBe(0)
  })
})

describe('a batch of messages', () => {
  it('costs two statements for a hundred jobs without a transaction, the most urgent first', async () => {
    const order: number[] = []
    const quick = job(
      'quick',
      { input: z.object({ n: z.number() }), transaction: false },
      ({ input }) => void order.push(input.n),
    )
    const jobs = make({ jobs: [quick], concurrency: 1 })
    await jobs.enqueueMany(
      quick,
      Array.from({ length: 99 }, (_, n) => ({ n })),
    )
    await jobs.enqueue(quick, { n: 99 }, { priority: 5 })
    await fetch(`${scratch.endpoint}/__breakwater/stats`, { method: 'DELETE' })
    const outcomes = await jobs.consume(queue.take().batch)
    const stats = (await (await fetch(`${scratch.endpoint}/__breakwater/stats`)).json()) as { total: number }
    expect(outcomes.every((outcome) => outcome === 'done')).toBe(true)
    expect(order[0]).toBe(99)
    expect(stats.total).toBeLessThanOrEqual(3)
  })

  it('tries a job that has crashed its worker alone, so that it takes no other with it', async () => {
    const seen: number[][] = []
    let running: number[] = []
    const any = job('any', { input: z.object({ n: z.number() }), transaction: false }, async ({ input }) => {
      running.push(input.n)
      seen.push([...running])
      await new Promise((resolve) => setTimeout(resolve, 5))
      running = running.filter((n) => n !== input.n)
    })
    const jobs = make({ jobs: [any] })
    await jobs.enqueueMany(any, [{ n: 1 }, { n: 2 }, { n: 3 }])
    await query(`update breakwater.jobs set failure = 'crashed' where (input->>'n')::int <> 1`)
    expect(await jobs.consume(queue.take().batch)).toEqual(['done', 'done', 'done'])
    expect(seen.every((together) => together.length === 1)).toBe(true)
  })
})

describe('a job on a workflow', () => {
  it('is started by the queue, remembers its steps, and is done by the fence', async () => {
    const created: { id: string; params: { id: string; token: string } }[] = []
    const workflow = { create: async (options: (typeof created)[number]) => void created.push(options) }
    let charged = 0
    const long = job(
      'long',
      { input: nothing, timeout: '2 h', runsOn: 'workflow', retry: { base: 1, max: 1 } },
      async ({ step, attempt }) => {
        await step('charge', () => ++charged)
        if (attempt === 1) throw new Error('later')
      },
    )
    expect(() => make({ jobs: [long] })).toThrow('was given none')
    const jobs = make({ jobs: [long], workflow })
    await jobs.enqueue(long, {})
    expect(await jobs.consume(queue.take().batch)).toEqual(['started'])
    const names: string[] = []
    const step = {
      do: async (name: string, _: unknown, fn: () => Promise<unknown>) => {
        names.push(name)
        return fn()
      },
    }
    expect(await jobs.runWorkflow(created[0]?.params as never, step as never)).toBe('retried')
    await query('update breakwater.jobs set run_at = now()')
    expect(await jobs.consume(queue.take().batch)).toEqual(['started'])
    // The first instance wakes up again: it is fenced off.
    expect(await jobs.runWorkflow(created[0]?.params as never, step as never)).toBe('skipped')
    expect(await jobs.runWorkflow(created[1]?.params as never, step as never)).toBe('done')
    expect(charged).toBe(1)
    expect(names).toContain('charge')
    expect(() => job('x', { input: nothing, timeout: '2 h' }, () => {})).toThrow('runsOn')
  })
})
