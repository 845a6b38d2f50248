import {
  type BreakwaterError,
  currentWork,
  type FailureMechanism,
  problems,
  type RequestContextEnv,
  requestContext,
  runWork,
  shield,
  traceHeaders,
  type Work,
  workFor,
} from 'breakwater/core'
import { Hono } from 'hono'
import { describe, expect, it, vi } from 'vitest'

const complaints = vi.spyOn(console, 'error').mockImplementation(() => {})

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('the request id', () => {
  const app = (options: Parameters<typeof requestContext>[0] = {}) =>
    problems(
      new Hono<RequestContextEnv>()
        .use(requestContext(options))
        .get('/', (c) => c.json({ var: c.var.requestId, work: c.var.work.id, current: currentWork()?.id })),
    )

  it('is new for each request, and the same in the reply, the context and the unit of work', async () => {
    const first = await app().request('/')
    const id = first.headers.get('x-request-id')
    expect(id).toMatch(UUID7)
    expect(await first.json()).toEqual({ var: id, work: id, current: id })
    expect((await app().request('/')).headers.get('x-request-id')).not.toBe(id)
  })

  it('is taken from the caller only when trusted and well-formed', async () => {
    const ask = async (id: string, trustRequestId: boolean) =>
      (await app({ trustRequestId }).request('/', { headers: { 'X-Request-Id': id } })).headers.get(
        'x-request-id',
      )
    expect(await ask('gateway-12345', true)).toBe('gateway-12345')
    expect(await ask('gateway-12345', false)).toMatch(UUID7)
    for (const bad of ['short', 'x'.repeat(129), 'has space in', '{"a":"injected"}', 'smuggled,another']) {
      expect(await ask(bad, true), bad).toMatch(UUID7)
    }
  })

  it('appears in a problem document as a URN even when it is no UUID', async () => {
    const reply = await app({ trustRequestId: true }).request('/nowhere', {
      headers: { 'X-Request-Id': 'gateway/12345' },
    })
    expect(await reply.json()).toMatchObject({ instance: 'urn:request:gateway%2F12345' })
  })

  it('is taken over within a wrapper that began the work, too', async () => {
    const reply = await shield(app({ trustRequestId: true })).fetch(
      new Request('https://example.com/', { headers: { 'X-Request-Id': 'gateway-12345' } }),
    )
    expect(reply.headers.get('x-request-id')).toBe('gateway-12345')
  })

  it('is one and the same in shield and in the middleware', async () => {
    const seen: (string | undefined)[] = []
    const inner = app()
    const outer = shield({
      fetch(request: Request) {
        seen.push(currentWork()?.id)
        return inner.fetch(request)
      },
    })
    const reply = await outer.fetch(new Request('https://example.com/'))
    expect(reply.headers.get('x-request-id')).toBe(seen[0])
  })
})

describe('the time budget', () => {
  it('answers 504 with everything set before, aborts the signal, and drops the late outcome', async () => {
    let aborted: unknown
    const app = problems(
      new Hono<RequestContextEnv>().use(requestContext({ deadline: 30 })).get('/', async (c) => {
        c.header('Set-Cookie', 'a=1')
        c.var.work.signal.addEventListener('abort', () => {
          aborted = c.var.work.signal.reason
        })
        await scheduler.wait(120)
        throw new Error('too late to matter')
      }),
    )
    const reply = await app.request('/')
    expect(reply.status).toBe(504)
    expect(reply.headers.getSetCookie()).toEqual(['a=1'])
    expect(reply.headers.get('x-request-id')).toMatch(UUID7)
    expect(await reply.json()).toMatchObject({ code: 'deadline-exceeded', title: 'Deadline exceeded' })
    expect((aborted as BreakwaterError).code).toBe('deadline-exceeded')
    await scheduler.wait(150)
  })

  it('reaches code that only listens to the signal', async () => {
    const app = problems(
      new Hono<RequestContextEnv>().use(requestContext({ deadline: 20 })).get('/', async (c) => {
        await new Promise((_, reject) => {
          c.var.work.signal.addEventListener('abort', () => reject(c.var.work.signal.reason))
        })
        return c.text('never')
      }),
    )
    expect((await app.request('/')).status).toBe(504)
  })

  it('is told as a deadline, and leaves requests in time alone', async () => {
    const app = new Hono<RequestContextEnv>().use(requestContext({ deadline: '2 s' })).get('/', async (c) => {
      await scheduler.wait(5)
      return c.json((c.var.work.deadline ?? 0) - Date.now())
    })
    const left = await (await app.request('/')).json<number>()
    expect(left).toBeGreaterThan(1000)
    expect(left).toBeLessThanOrEqual(2000)
  })

  it('can be left out, and is checked when built', async () => {
    const app = new Hono<RequestContextEnv>()
      .use(requestContext({ deadline: false }))
      .get('/', (c) => c.json(c.var.work.deadline === undefined))
    expect(await (await app.request('/')).json()).toBe(true)
    expect(() => requestContext({ deadline: 0 })).toThrow(TypeError)
    expect(() => requestContext({ deadline: 'soon' as '1 s' })).toThrow(TypeError)
  })

  it('joins the client going away', async () => {
    const client = new AbortController()
    let signal: AbortSignal | undefined
    const app = new Hono<RequestContextEnv>().use(requestContext()).get('/', (c) => {
      signal = c.var.work.signal
      return c.text('ok')
    })
    await app.request(new Request('https://example.com/', { signal: client.signal }))
    expect(signal?.aborted).toBe(false)
    client.abort()
    expect(signal?.aborted).toBe(true)
  })
})

describe('the trace', () => {
  it('continues the caller’s and is handed on', async () => {
    const trace = 'a'.repeat(32)
    const app = new Hono<RequestContextEnv>()
      .use(requestContext())
      .get('/', (c) => c.json(traceHeaders(c.var.work)))
    const reply = await app.request('/', {
      headers: { traceparent: `00-${trace}-${'b'.repeat(16)}-01`, tracestate: 'v=1' },
    })
    const headers = await reply.json<Record<string, string>>()
    expect(headers['traceparent']).toMatch(new RegExp(`^00-${trace}-(?!b{16})[0-9a-f]{16}-01$`))
    expect(headers['tracestate']).toBe('v=1')
  })

  it('begins anew without one, with a broken one, or when told to', async () => {
    const ask = async (headers: Record<string, string>, continueTrace = true) => {
      const app = new Hono<RequestContextEnv>()
        .use(requestContext({ continueTrace }))
        .get('/', (c) => c.text(c.var.work.trace.traceId))
      return (await app.request('/', { headers })).text()
    }
    const valid = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    expect(await ask({})).toMatch(/^[0-9a-f]{32}$/)
    expect(await ask({ traceparent: 'nonsense' })).toMatch(/^[0-9a-f]{32}$/)
    expect(await ask({ traceparent: valid }, false)).not.toBe('a'.repeat(32))
  })

  it('begins anew when told to further in than where the work began', async () => {
    const { withCapture } = await import('breakwater/capture')
    const valid = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const ask = async (continueTrace: boolean): Promise<string> => {
      const app = new Hono<RequestContextEnv>()
        .use(requestContext({ continueTrace }))
        .get('/', (c) => c.text(c.var.work.trace.traceId))
      const worker = withCapture({ dsn: 'https://key@errors.acme.dev/1', tracesSampleRate: 0 }, shield(app))
      const context = { waitUntil() {}, passThroughOnException() {} } as unknown as ExecutionContext
      const request = new Request('https://app.acme.dev/', { headers: { traceparent: valid } })
      return (await worker.fetch(request, {}, context)).text()
    }
    expect(await ask(true)).toBe('a'.repeat(32))
    expect(await ask(false)).not.toBe('a'.repeat(32))
  })
})

describe('work beyond the reply', () => {
  it('is handed to the platform, and its rejection to the observers', async () => {
    const handed: Promise<unknown>[] = []
    const failures: [unknown, FailureMechanism][] = []
    const app = new Hono<RequestContextEnv>().use(requestContext()).get('/', (c) => {
      c.var.work.observe?.({
        failed: (error, mechanism) => {
          failures.push([error, mechanism])
          throw new Error('an observer that fails is no matter')
        },
      })
      c.var.work.waitUntil(Promise.reject('lost mail'))
      c.var.work.waitUntil(Promise.resolve(1))
      return c.text('ok')
    })
    const context = {
      waitUntil: (promise: Promise<unknown>) => handed.push(promise),
      passThroughOnException() {},
      props: {},
    }
    await app.fetch(new Request('https://example.com/'), {}, context as unknown as ExecutionContext)
    await Promise.all(handed) // none of them rejects
    expect(handed).toHaveLength(2)
    expect(failures).toEqual([['lost mail', 'wait-until']])
  })

  it('is never lost: without an observer it goes to the console, scrubbed', async () => {
    complaints.mockClear()
    const app = new Hono<RequestContextEnv>().use(requestContext()).get('/', (c) => {
      c.var.work.waitUntil(Promise.reject(new Error('no mail for ann@example.com')))
      return c.text('ok')
    })
    expect((await app.request('/')).status).toBe(200)
    await vi.waitFor(() => expect(complaints).toHaveBeenCalledOnce())
    expect(String(complaints.mock.calls[0])).toMatch(/no mail for …/)
  })
})

describe('work that is no request', () => {
  it('has an id, a trace, facts, a signal and spans of its own', async () => {
    const work: Work = workFor('queue', { waitUntil() {} }, { budget: 1000 })
    await runWork(work, async () => {
      await Promise.resolve()
      expect(currentWork()).toBe(work)
    })
    expect(work.id).toMatch(UUID7)
    expect(work.trace.traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(work.deadline).toBeGreaterThan(Date.now())
    expect(work.signal.aborted).toBe(false)
    for (let i = 0; i < 500; i++) work.record({ op: 'x', name: 'y', start: 0, duration: 0, ok: true })
    expect(work.spans).toHaveLength(200)
  })

  it('continues a given trace and works without a runtime around it', () => {
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: false }
    const work = workFor('scheduled', undefined, { id: 'tick', trace })
    expect(work.trace).toBe(trace)
    expect(work.id).toBe('tick')
    work.waitUntil(Promise.resolve())
  })
})

it('keeps two requests at once apart', async () => {
  const app = new Hono<RequestContextEnv>().use(requestContext()).get('/:n', async (c) => {
    await scheduler.wait(Math.random() * 10)
    return c.json([c.var.requestId, currentWork()?.id])
  })
  const replies = await Promise.all(Array.from({ length: 20 }, (_, n) => app.request(`/${n}`)))
  for (const reply of replies) {
    const [a, b] = await reply.json<[string, string]>()
    expect(a).toBe(b)
    expect(reply.headers.get('x-request-id')).toBe(a)
  }
})
