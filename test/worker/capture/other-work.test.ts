/// <reference types="@cloudflare/vitest-plugin/types" />
import { createExecutionContext, createScheduledController, waitOnExecutionContext } from 'cloudflare:test'
import { type CaptureOptions, captureObject, createCapture, withCapture } from 'breakwater/capture'
import { BreakwaterError, currentWork } from 'breakwater/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { call } from './call.ts'
import { Ingest } from './ingest.ts'

let ingest: Ingest
beforeEach(() => {
  ingest = new Ingest()
})
const options = (more: Partial<CaptureOptions> = {}): CaptureOptions => ({
  dsn: ingest.dsn,
  fetch: ingest.fetch,
  tracesSampleRate: 0,
  slow: false,
  ...more,
})

describe('cron', () => {
  it('checks in after each tick, well or not, with the schedule the monitor is made from', async () => {
    let fail = false
    const worker = withCapture(options({ release: 'v7' }), {
      async scheduled() {
        if (fail) throw new Error('no')
      },
    })
    const context = createExecutionContext()
    const tick = () =>
      worker.scheduled(createScheduledController({ cron: '17 3 * * *' }) as never, {}, context)
    await tick()
    fail = true
    await expect(tick()).rejects.toThrow('no')
    await waitOnExecutionContext(context)
    expect(ingest.checkIns).toMatchObject([
      {
        monitor_slug: 'cron-17-3-x-x-x',
        status: 'ok',
        release: 'v7',
        monitor_config: { schedule: { type: 'crontab', value: '17 3 * * *' } },
      },
      { monitor_slug: 'cron-17-3-x-x-x', status: 'error' },
    ])
  })

  it('goes by the names it is given, and is silent about others', async () => {
    const worker = withCapture(options({ checkIns: { '17 3 * * *': 'nightly' } }), { async scheduled() {} })
    const context = createExecutionContext()
    for (const cron of ['17 3 * * *', '* * * * *']) {
      await worker.scheduled(createScheduledController({ cron }) as never, {}, context)
    }
    await waitOnExecutionContext(context)
    expect(ingest.checkIns.map((one) => one['monitor_slug'])).toEqual(['nightly'])
  })
})

it('tells what fails in a mail handler, and neither its sender nor its recipient', async () => {
  const worker = withCapture(options(), {
    async email() {
      throw new Error('cannot read this mail')
    },
  })
  const context = createExecutionContext()
  const message = { from: 'ann@example.com', to: 'bob@example.com' } as ForwardableEmailMessage
  await expect(worker.email(message, {}, context)).rejects.toThrow()
  await waitOnExecutionContext(context)
  expect(ingest.errors).toMatchObject([{ transaction: 'email' }])
  expect(ingest.raw.join()).not.toContain('example.com\n')
  expect(ingest.raw.join()).not.toMatch(/ann@|bob@/)
})

describe('a Durable Object', () => {
  class Base {
    readonly ctx: DurableObjectState
    readonly env: object
    constructor(ctx: DurableObjectState, env: object) {
      this.ctx = ctx
      this.env = env
    }
    async inherited(): Promise<string> {
      throw new Error('from the base')
    }
  }
  class Room extends Base {
    async fetch(_request: Request): Promise<Response> {
      return new Response('', { status: 503 })
    }
    async alarm(): Promise<void> {
      throw new Error('alarm failed')
    }
    async outer(): Promise<void> {
      return this.inner()
    }
    async inner(): Promise<void> {
      throw new Error('deep down')
    }
    async add(a: number, b: number): Promise<number> {
      return a + b
    }
  }

  it('is watched in fetch, alarm and every method called by RPC, and works as before', async () => {
    const Watched = captureObject(options(), Room)
    expect(Watched.name).toBe('Room')
    const context = createExecutionContext()
    const room = new Watched(context as unknown as DurableObjectState, {})
    expect(await room.add(1, 2)).toBe(3)
    expect((await room.fetch(new Request('https://do.example/x'))).status).toBe(503)
    await expect(room.alarm()).rejects.toThrow('alarm failed')
    await expect(room.outer()).rejects.toThrow('deep down')
    await expect(room.inherited()).rejects.toThrow('from the base')
    await waitOnExecutionContext(context)
    expect(ingest.errors.map((e) => e.exception?.values[0]?.value ?? e.message)).toEqual([
      'GET Room.fetch answered 503',
      'alarm failed',
      'deep down',
      'from the base',
    ])
    expect(ingest.errors[2]?.transaction).toBe('Room.outer')
  })
})

describe('what repeats', () => {
  it('is folded: so many a minute, and the number of the rest', async () => {
    const capture = createCapture(options({ maxAlike: 3 }))
    const worker = withCapture(capture, {
      fetch: async (): Promise<Response> => {
        throw new Error(`user ${Math.random()} not found`)
      },
    })
    for (let i = 0; i < 20; i++) await call(worker, '/')
    expect(ingest.errors.length).toBe(3)
    capture.captureMessage('something else')
    await expect
      .poll(() => ingest.reports)
      .toEqual([
        {
          timestamp: expect.any(Number),
          discarded_events: [{ reason: 'event_processor', category: 'error', quantity: 17 }],
        },
      ])
  })

  it('is grouped by what is the same: the code of our own errors, their cause and where they came up', async () => {
    const capture = createCapture(options())
    const worker = withCapture(capture, {
      fetch: async () => {
        const cause = new Error(`connect to 10.0.0.${currentWork()?.id.length} failed after 312 ms`)
        capture.captureException(new BreakwaterError('dependency-unavailable', { status: 503, cause }))
        capture.captureException('text 41')
        capture.captureException(new Error('with a stack'))
        return new Response('ok')
      },
    })
    await call(worker, '/')
    const [ours, text, plain] = ingest.errors
    expect(ours?.fingerprint?.slice(0, 3)).toEqual([
      'breakwater',
      'dependency-unavailable',
      'Error: connect to #.#.#.# failed after # ms',
    ])
    expect(text?.fingerprint).toEqual(['Thrown string', 'text #', 'GET [unknown]'])
    expect(plain?.fingerprint).toBeUndefined()
  })
})

describe('counts of what was not sent', () => {
  it('are right when the ingest is down, and told once it is back', async () => {
    const capture = createCapture(options({ tracesSampleRate: 1, maxAlike: 1000 }))
    ingest.reply = () => new Response('', { status: 413 })
    const failing = withCapture(capture, {
      fetch: async (): Promise<Response> => {
        throw new Error('x')
      },
    })
    for (let i = 0; i < 4; i++) await call(failing, '/')
    ingest.reply = () => new Response('{}')
    await call(withCapture(capture, { fetch: async () => new Response('ok') }), '/')
    expect(ingest.reports.flatMap((report) => report.discarded_events)).toEqual([
      { reason: 'send_error', category: 'error', quantity: 4 },
      { reason: 'send_error', category: 'transaction', quantity: 4 },
    ])
  })

  it('stay right through garbage and outages, and memory stays bounded', async () => {
    const capture = createCapture(options({ maxAlike: 10_000 }))
    const replies = [
      () => new Response('<html>', { status: 200 }),
      () => new Response('', { status: 429, headers: { 'x-sentry-rate-limits': ':::;;,,x:y' } }),
    ]
    let n = 0
    ingest.reply = () => (replies[n++ % 2] as () => Response)()
    const failing = withCapture(capture, {
      fetch: async (): Promise<Response> => {
        throw new Error(`much text ${'word '.repeat(300)}`)
      },
    })
    for (let i = 0; i < 120; i++) expect((await call(failing, '/')).status).toBe(599)
    // One arrived, 50 are kept, and the rest is counted.
    expect(ingest.errors.length).toBe(1)
    expect(capture.dropped).toEqual({ 'cache_overflow error': 69 })
  })
})
