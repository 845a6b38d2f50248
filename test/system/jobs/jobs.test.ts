import { type ReportHint, runWork, workFor } from 'breakwater/core'
import { createJobs, job, PermanentError, RetryLater, jobs as table } from 'breakwater/jobs'
import { sql } from 'drizzle-orm'
import * as v from 'valibot'
import { afterEach, beforeAll, beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { batchOf, TestQueue } from './support.ts'

let scratch: ScratchDatabase
let queue: TestQueue
let reports: { error: unknown; hint: ReportHint | undefined }[]
const reporter = {
  captureException: (error: unknown, hint?: ReportHint) => reports.push({ error, hint }),
  captureMessage: () => {},
}

/** What handlers do in these tests, replaced by each. */
let effect: (context: { attempt: number; id: string; signal: AbortSignal }) => Promise<void> | void = () => {}

const pay = job(
  'pay',
  {
    input: z.object({ order: z.string(), cents: z.coerce.bigint() }),
    retry: { attempts: 3, base: 1, max: 1 },
  },
  async ({ input, tx, ...context }) => {
    expectTypeOf(input).toEqualTypeOf<{ order: string; cents: bigint }>()
    await tx.execute(sql`insert into ledger values (${input.order}, ${String(input.cents)})`)
    await effect(context)
  },
)
const outside = job(
  'outside',
  {
    input: v.object({ n: v.number() }),
    transaction: false,
    timeout: 50,
    retry: { attempts: 2, base: 1, max: 1 },
  },
  async (context) => {
    // @ts-expect-error there is no transaction here
    context.tx
    await effect(context)
  },
)

const make = (more: Partial<Parameters<typeof createJobs>[0]> = {}) =>
  createJobs({ db: scratch.db, queue, jobs: [pay, outside], reporter, ...more })
const ledger = async () => (await scratch.pool.query('select * from ledger')).rows.length
const rows = async () =>
  (await scratch.pool.query('select * from breakwater.jobs order by id')).rows as Record<string, unknown>[]
const set = (text: string) => scratch.pool.query(`update breakwater.jobs set ${text}`)
const order = { order: 'o1', cents: '5' } as const

beforeAll(async () => {
  scratch = await scratchDatabase()
  await scratch.pool.query('create table ledger (order_id text, cents bigint)')
})
beforeEach(() => {
  queue = new TestQueue()
  reports = []
  effect = () => {}
})
afterEach(async () => {
  await scratch.pool.query('truncate breakwater.jobs, ledger')
})

describe('enqueueing', () => {
  it('takes one statement, and the message holds nothing but the id', async () => {
    const jobs = make()
    const id = await jobs.enqueue(pay, order)
    expect(queue.sent).toEqual([{ body: { v: 1, id } }])
    expect(await rows()).toMatchObject([{ id, type: 'pay', state: 'pending', input: order, attempt: 0 }])
  })

  it('leaves no job behind when the caller’s transaction is rolled back', async () => {
    const jobs = make()
    await expect(
      jobs.transaction(async (tx, enqueue) => {
        await enqueue(pay, order)
        await jobs.enqueue(pay, order, { tx })
        throw new Error('changed my mind')
      }),
    ).rejects.toThrow('changed my mind')
    expect(await rows()).toEqual([])
    expect(queue.sent).toEqual([])
  })

  it('makes the job with the caller’s own rows, and sends after the commit', async () => {
    const jobs = make()
    await jobs.transaction(async (tx, enqueue) => {
      await tx.execute(sql`insert into ledger values ('mine', 1)`)
      await enqueue(pay, order)
      expect(queue.sent).toEqual([])
    })
    expect(queue.sent.length).toBe(1)
    expect(await rows()).toMatchObject([{ state: 'pending' }])
  })

  it('goes into the caller’s batch', async () => {
    const jobs = make()
    const prepared = await jobs.prepare(pay, order, { key: 'o1' })
    const [, made] = await scratch.db.batch([scratch.db.delete(table).where(sql`false`), prepared.statement])
    expect(made).toEqual([{ id: prepared.id }])
    await prepared.send()
    expect(queue.sent).toEqual([{ body: { v: 1, id: prepared.id } }])
  })

  it('goes into the batch of whoever knows it by name only', async () => {
    const { byName } = make()
    const prepared = await byName.prepare?.('pay', order, { key: 'o1' })
    await scratch.db.batch([prepared?.statement as ReturnType<typeof scratch.db.delete>])
    expect(await rows()).toMatchObject([{ type: 'pay', key: 'o1' }])
    await prepared?.send()
    expect(queue.sent).toEqual([{ body: { v: 1, id: prepared?.id } }])
    await expect(byName.prepare?.('nobody', {})).rejects.toThrow('no job')
  })

  it('makes one job of a key, even of many at once, and one of each type', async () => {
    const jobs = make()
    const ids = await Promise.all(Array.from({ length: 8 }, () => jobs.enqueue(pay, order, { key: 'k' })))
    expect(new Set(ids).size).toBe(1)
    await jobs.enqueue(outside, { n: 1 }, { key: 'k' })
    expect((await rows()).length).toBe(2)
    expect(queue.sent.length).toBe(2)
  })

  it('keeps a key taken after the job is done', async () => {
    const jobs = make()
    const id = await jobs.enqueue(pay, order, { key: 'k' })
    await jobs.consume(queue.take().batch)
    expect(await jobs.enqueue(pay, order, { key: 'k' })).toBe(id)
    expect(queue.sent).toEqual([])
  })

  it('refuses what does not fit, what JSON would change, and what was never declared', async () => {
    const jobs = make()
    // @ts-expect-error not an order
    await expect(jobs.enqueue(pay, { order: 1 })).rejects.toMatchObject({ code: 'validation-failed' })
    const dated = job('dated', { input: z.object({ at: z.date() }) }, () => {})
    await expect(make({ jobs: [dated] }).enqueue(dated, { at: new Date() })).rejects.toMatchObject({
      fields: [{ pointer: '/at' }],
    })
    await expect(jobs.enqueue(dated, { at: new Date() })).rejects.toThrow('not among')
    await expect(jobs.byName('nobody', {})).rejects.toThrow('no job')
    await expect(jobs.enqueue(pay, { ...order, order: 'x'.repeat(300_000) })).rejects.toMatchObject({
      code: 'payload-too-large',
    })
    expect(await rows()).toEqual([])
  })

  it('does not fail when the queue does: the relay sends later', async () => {
    const jobs = make()
    queue.broken = true
    const id = await jobs.enqueue(pay, order)
    queue.broken = false
    expect(await jobs.relay()).toBe(0)
    await set(`send_after = now() - interval '1 second'`)
    expect(await jobs.relay()).toBe(1)
    expect(queue.sent).toEqual([{ body: { v: 1, id } }])
    // Not again at once.
    expect(await jobs.relay()).toBe(0)
  })

  it('waits in Postgres past what a queue can hold back', async () => {
    const jobs = make()
    await jobs.enqueue(pay, order, { delay: 3600 })
    await jobs.enqueue(pay, order, { delay: 3 * 86_400 })
    expect(queue.sent).toMatchObject([{ delaySeconds: 3600 }])
    await set(
      `run_at = run_at - interval '63 hours', send_after = send_after - interval '63 hours' where run_at > now() + interval '1 day'`,
    )
    queue.sent.length = 0
    expect(await jobs.relay()).toBe(1)
    expect(queue.sent[0]?.delaySeconds).toBeGreaterThan(8 * 3600)
    expect(queue.sent[0]?.delaySeconds).toBeLessThanOrEqual(9 * 3600)
  })

  it('joins the trace of the work that enqueued to the one that runs', async () => {
    const jobs = make()
    const work = workFor('request')
    await runWork(work, () => jobs.enqueue(pay, order))
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(queue.sent[0]?.body.traceparent).toContain(work.trace.traceId)
    const { currentWork } = await import('breakwater/core')
    let seen = ''
    effect = () => {
      seen = currentWork()?.trace.traceId ?? ''
    }
    await jobs.consume(queue.take().batch)
    expect(seen).toBe(work.trace.traceId)
  })
})

describe('round trips', () => {
  const counted = async (fn: () => Promise<unknown>) => {
    const stats = `${scratch.endpoint}/__breakwater/stats`
    await fetch(stats, { method: 'DELETE' })
    await fn()
    const { requests, webSockets } = (await (await fetch(stats)).json()) as {
      requests: Record<string, number>
      webSockets: { connections: number }
    }
    return { http: requests['POST /sql'] ?? 0, sockets: webSockets.connections }
  }

  it('are one to enqueue, two for a job without a transaction, one and a connection for one with', async () => {
    const jobs = make()
    expect(await counted(() => jobs.enqueue(outside, { n: 1 }))).toEqual({ http: 1, sockets: 0 })
    expect(await counted(() => jobs.consume(queue.take().batch))).toEqual({ http: 2, sockets: 0 })
    await jobs.enqueue(pay, order)
    expect(await counted(() => jobs.consume(queue.take().batch))).toEqual({ http: 1, sockets: 1 })
    expect(await counted(() => jobs.relay())).toEqual({ http: 1, sockets: 0 })
    expect(await counted(() => jobs.sweep())).toEqual({ http: 1, sockets: 0 })
    expect(await counted(() => jobs.cron())).toEqual({ http: 2, sockets: 0 })
  })
})

describe('the effect in the database', () => {
  it('happens once for a message that comes many times, in one batch and in several at once', async () => {
    const jobs = make()
    await jobs.enqueue(pay, order)
    const [message] = queue.sent
    effect = () => new Promise((resolve) => setTimeout(resolve, 20))
    const all = await Promise.all(
      [1, 2, 3].map(() => jobs.consume(batchOf([message?.body, message?.body]).batch)),
    )
    expect(all.flat().sort()).toEqual(['done', 'early', 'early', 'early', 'early', 'skipped'])
    expect(await ledger()).toBe(1)
    expect(await jobs.consume(batchOf([message?.body]).batch)).toEqual(['skipped'])
    expect(await ledger()).toBe(1)
  })

  it('is rolled back when a worker was too slow and another has the job', async () => {
    const jobs = make()
    const id = await jobs.enqueue(pay, order)
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    effect = async ({ attempt }) => {
      if (attempt === 1) await held
    }
    const slow = jobs.run(id)
    await expect.poll(async () => (await rows())[0]?.['attempt']).toBe(1)
    await set(`lease_until = now() - interval '1 second'`)
    expect(await jobs.run(id)).toBe('done')
    release()
    expect(await slow).toBe('skipped')
    expect(await ledger()).toBe(1)
    expect(await rows()).toMatchObject([{ state: 'done', attempt: 2 }])
  })

  it('is rolled back when the handler fails after it, and made by the retry', async () => {
    const jobs = make()
    await jobs.enqueue(pay, order)
    effect = ({ attempt }) => {
      if (attempt === 1) throw new Error('half way, card 4111111111111111')
    }
    expect(await jobs.consume(queue.take().batch)).toEqual(['retried'])
    expect(await ledger()).toBe(0)
    expect(await rows()).toMatchObject([{ state: 'pending', failure: 'Error', attempt: 1 }])
    expect(JSON.stringify(await rows())).not.toContain('4111111111111111')
    expect(queue.sent).toMatchObject([{ delaySeconds: expect.any(Number) }])
    expect(reports).toMatchObject([{ hint: { level: 'warning', tags: { job: 'pay', outcome: 'retried' } } }])
    expect(await jobs.consume(queue.take().batch)).toEqual(['done'])
    expect(await ledger()).toBe(1)
  })

  it('survives a worker that died in the middle', async () => {
    const jobs = make()
    const id = await jobs.enqueue(pay, order)
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    effect = () => ended
    const dying = jobs.run(id)
    await expect.poll(async () => (await rows())[0]?.['state']).toBe('running')
    await set(`lease_until = now() - interval '1 second'`)
    effect = () => {}
    expect(await jobs.sweep()).toMatchObject({ requeued: 1, crashed: 0 })
    queue.sent.length = 0
    expect(await jobs.relay()).toBe(1)
    expect(await jobs.consume(queue.take().batch)).toEqual(['done'])
    end()
    expect(await dying).toBe('skipped')
    expect(await ledger()).toBe(1)
  })
})

describe('retries and dead letters', () => {
  it('tries as often as it is told, then keeps the job as dead', async () => {
    const jobs = make()
    await jobs.enqueue(pay, order)
    effect = () => {
      throw new Error('no')
    }
    const seen: unknown[] = []
    for (let i = 0; i < 3; i++) seen.push(...(await jobs.consume(queue.take().batch)))
    expect(seen).toEqual(['retried', 'retried', 'dead'])
    expect(queue.sent).toEqual([])
    expect(reports.at(-1)).toMatchObject({ hint: { level: 'error', tags: { outcome: 'dead' } } })
    expect(await jobs.list({ state: 'dead' })).toMatchObject([
      { type: 'pay', attempt: 3, failureDetail: 'no' },
    ])
    expect(JSON.stringify(await jobs.list())).not.toContain('o1')
  })

  it('replays a dead job, and discards it', async () => {
    const jobs = make()
    const id = await jobs.enqueue(pay, order)
    effect = () => {
      throw new PermanentError('never')
    }
    expect(await jobs.consume(queue.take().batch)).toEqual(['dead'])
    expect(await jobs.replay({ state: 'dead', type: 'pay' })).toEqual([id])
    effect = () => {}
    expect(await jobs.consume(queue.take().batch)).toEqual(['done'])
    expect(await jobs.replay({ ids: [id] })).toEqual([])

    effect = () => {
      throw new PermanentError('never')
    }
    const other = await jobs.enqueue(pay, order)
    await jobs.consume(queue.take().batch)
    expect(await jobs.discard({ ids: [other] })).toBe(1)
    expect(await jobs.counts()).toEqual(
      expect.arrayContaining([
        { type: 'pay', state: 'done', count: 1 },
        { type: 'pay', state: 'discarded', count: 1 },
      ]),
    )
  })

  it('waits as long as the handler asks', async () => {
    const jobs = make()
    await jobs.enqueue(pay, order)
    effect = () => {
      throw new RetryLater(500)
    }
    await jobs.consume(queue.take().batch)
    expect(queue.sent).toMatchObject([{ delaySeconds: 500 }])
    // A double that comes early is sent back, not run.
    const { batch, fates } = queue.take()
    expect(await jobs.consume(batch)).toEqual(['early'])
    expect(fates[0]?.acked).toBe(0)
    expect(fates[0]?.retried[0]?.delaySeconds).toBeGreaterThan(490)
  })

  it('gives a handler that hangs its timeout, tells it, and goes on', async () => {
    const jobs = make()
    await jobs.enqueue(outside, { n: 1 })
    let aborted = false
    effect = ({ signal }) =>
      new Promise(() => {
        signal.addEventListener('abort', () => {
          aborted = true
        })
      })
    expect(await jobs.consume(queue.take().batch)).toEqual(['retried'])
    expect(aborted).toBe(true)
    expect(await rows()).toMatchObject([{ failure: 'JobTimeout' }])
  })

  it('sets aside jobs that nobody knows, or not in this version, or whose input no longer fits', async () => {
    const jobs = make()
    for (let i = 0; i < 3; i++) await jobs.enqueue(pay, order)
    const [a, b, c] = (await rows()).map((row) => row['id'])
    await set(`type = 'renamed' where id = '${a}'`)
    await set(`version = 9 where id = '${b}'`)
    await set(`input = '{}' where id = '${c}'`)
    // In the middle of a deployment another worker may know them: they are put back twice.
    expect(await jobs.consume(queue.take().batch)).toEqual(['retried', 'retried', 'dead'])
    await set(`run_at = now() where state = 'pending'`)
    expect(await jobs.consume(queue.take().batch)).toEqual(['retried', 'retried'])
    await set(`run_at = now() where state = 'pending'`)
    const { batch, fates } = queue.take()
    expect(await jobs.consume(batch)).toEqual(['dead', 'dead'])
    expect(fates.every(({ acked }) => acked === 1)).toBe(true)
    expect((await rows()).map((row) => row['failure'])).toEqual([
      'unknown-type',
      'unknown-version',
      'PermanentError',
    ])
  })

  it('drops messages that are none of ours without stopping the others', async () => {
    const jobs = make()
    await jobs.enqueue(pay, order)
    const good = queue.sent[0]?.body
    const bad = [null, 'x', 7, {}, { v: 2, id: good?.id }, { v: 1, id: "'; drop table x" }]
    const { batch, fates } = batchOf([...bad, good, { v: 1, id: '01890000-0000-7000-8000-000000000000' }])
    expect(await jobs.consume(batch)).toEqual([...bad.map(() => 'foreign'), 'done', 'skipped'])
    expect(fates.every(({ acked, retried }) => acked === 1 && retried.length === 0)).toBe(true)
  })

  it('gives messages back when the database is out, and never throws', async () => {
    const jobs = make({
      db: {
        execute: () => {
          throw new Error('connection refused')
        },
      } as never,
      reporter: {
        captureException: () => {
          throw new Error('reporter too')
        },
        captureMessage: () => {},
      },
    })
    const { batch, fates } = batchOf([{ v: 1, id: '01890000-0000-7000-8000-000000000000' }], 3)
    expect(await jobs.consume(batch)).toEqual(['unreachable'])
    expect(fates).toEqual([{ acked: 0, retried: [{ delaySeconds: 40 }] }])
  })

  it('buries what crashed its worker every time: by the sweep, by the dead letter queue, by a late message', async () => {
    const jobs = make()
    for (let i = 0; i < 3; i++) await jobs.enqueue(pay, order)
    const ids = (await rows()).map((row) => row['id'] as string)
    const crash = () =>
      set(
        `state = 'running', attempt = max_attempts, lease_token = id, lease_until = now() - interval '1 second' where state = 'pending'`,
      )
    await crash()
    expect(await jobs.run(ids[0] as string)).toBe('dead')
    const { batch, fates } = batchOf([{ v: 1, id: ids[1] }, 'junk'])
    await jobs.consumeDead(batch)
    expect(fates.every(({ acked }) => acked === 1)).toBe(true)
    expect(await jobs.sweep()).toMatchObject({ requeued: 0, crashed: 1 })
    expect((await rows()).map((row) => row['state'])).toEqual(['dead', 'dead', 'dead'])
    // The dead letter queue does not bury what still has attempts.
    const id = await jobs.enqueue(pay, order)
    await jobs.consumeDead(batchOf([{ v: 1, id }]).batch)
    expect(await jobs.list({ ids: [id] })).toMatchObject([{ state: 'pending' }])
  })

  it('cancels what has not started', async () => {
    const jobs = make()
    const id = await jobs.enqueue(pay, order)
    expect(await jobs.cancel({ ids: [id] })).toBe(1)
    expect(await jobs.consume(queue.take().batch)).toEqual(['skipped'])
    expect(await ledger()).toBe(0)
  })

  it('deletes what has been over for long enough, and nothing else', async () => {
    const jobs = make({ keep: { done: '1 d', dead: '9 d' } })
    for (let i = 0; i < 4; i++) await jobs.enqueue(pay, order)
    const [a, b, c] = (await rows()).map((row) => row['id'])
    const over = (id: unknown, state: string, age: string) =>
      set(`state = '${state}', finished_at = now() - interval '${age}' where id = '${id}'`)
    await over(a, 'done', '2 days')
    await over(b, 'dead', '2 days')
    await over(c, 'dead', '10 days')
    expect((await jobs.sweep()).pruned).toBe(2)
    expect((await rows()).map((row) => row['state'])).toEqual(['dead', 'pending'])
  })

  it('hands each job to one of several relays', async () => {
    const jobs = make()
    for (let i = 0; i < 30; i++) await jobs.enqueue(pay, order)
    await set(`send_after = now() - interval '1 second'`)
    queue.sent.length = 0
    await Promise.all([jobs.relay(), jobs.relay(), jobs.relay()])
    expect(new Set(queue.sent.map(({ body }) => body.id)).size).toBe(30)
    expect(queue.sent.length).toBe(30)
  })
})

it('loses and doubles nothing, whatever queue and workers do to it', async () => {
  // A small simulation: a seed decides which messages are lost, doubled or late, and which workers fail or die.
  for (const seed of [1, 2]) {
    let state = seed * 2654435761
    const random = () => {
      state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) | 0
      return (state >>> 0) / 2 ** 32
    }
    const jobs = make({ random, reporter: { captureException: () => {}, captureMessage: () => {} } })
    effect = async () => {
      const fate = random()
      if (fate < 0.2) throw new Error('failed')
      // Died: nothing of it is heard of again until its lease is over.
      if (fate < 0.3) throw new RetryLater(0)
    }
    const expected = 15
    for (let i = 0; i < expected; i++) await jobs.enqueue(pay, { order: `${seed}-${i}`, cents: String(i) })
    await set('max_attempts = 100')
    for (let round = 0; round < 40; round++) {
      const bodies = queue.sent.splice(0).flatMap(({ body }) => {
        const fate = random()
        return fate < 0.2 ? [] : fate < 0.5 ? [body, body] : [body]
      })
      bodies.sort(() => random() - 0.5)
      await Promise.all([
        jobs.consume(batchOf(bodies.slice(0, bodies.length / 2)).batch),
        jobs.consume(batchOf(bodies.slice(bodies.length / 2)).batch),
      ])
      // Time passes: leases end, and what was lost is due again.
      await set(`run_at = now(), send_after = now() where state = 'pending'`)
      const counts = await jobs.counts()
      if (counts.length === 1 && counts[0]?.state === 'done') break
      await jobs.sweep()
      await jobs.relay()
    }
    expect(await jobs.counts()).toEqual([{ type: 'pay', state: 'done', count: expected }])
    expect(await ledger()).toBe(expected)
    await scratch.pool.query('truncate breakwater.jobs, ledger')
  }
})
