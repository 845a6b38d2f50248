/// <reference types="@cloudflare/vitest-plugin/types" />
import {
  createExecutionContext,
  createMessageBatch,
  createScheduledController,
  waitOnExecutionContext,
} from 'cloudflare:test'
import {
  type CaptureOptions,
  captureMiddleware,
  createCapture,
  type EventClient,
  withCapture,
} from 'breakwater/capture'
import { BreakwaterError, currentWork, problems, requestContext, shield, span } from 'breakwater/core'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { beforeEach, describe, expect, it } from 'vitest'
import { Ingest } from './ingest.ts'

/** What every client has to keep, whichever reads the errors. */
export function captureContract(client?: EventClient): void {
  let ingest: Ingest
  beforeEach(() => {
    ingest = new Ingest()
  })

  const options = (more: Partial<CaptureOptions> = {}): CaptureOptions => ({
    dsn: ingest.dsn,
    fetch: ingest.fetch,
    release: 'v7',
    environment: 'test',
    tracesSampleRate: 0,
    // Each has tests of its own; here they would be in the way.
    slow: false,
    checkIns: false,
    maxAlike: 100,
    ...(client && { client }),
    ...more,
  })

  function routes(app: Hono) {
    app.onError((error, c) => (error instanceof HTTPException ? error.getResponse() : c.text('failed', 500)))
    app.use(captureMiddleware())
    app.get('/users/:id/thrown', () => {
      throw new Error('cannot', { cause: new TypeError('because') })
    })
    app.get('/string', () => {
      throw 'just text'
    })
    app.get('/object', () => {
      throw { password: 'hunter2hunter2' }
    })
    app.get('/null', () => {
      throw null
    })
    app.get('/missing', () => {
      throw new HTTPException(404)
    })
    app.get('/teapot', () => {
      throw new BreakwaterError('conflict', { status: 409 })
    })
    app.get('/bad-gateway', () => {
      throw new HTTPException(502)
    })
    app.get('/expected', () => {
      throw new BreakwaterError('dependency-unavailable', { status: 503, report: false })
    })
    app.get('/returned/:id', (c) => c.json({ no: true }, 500))
    app.get('/late', (c) => {
      c.executionCtx.waitUntil(Promise.reject(new Error('behind the reply')))
      return c.text('ok')
    })
    app.get('/later', (c) => {
      c.executionCtx.waitUntil(
        (async () => {
          await scheduler.wait(10)
          throw new Error('long behind the reply')
        })(),
      )
      return c.text('ok')
    })
    app.get('/fine', (c) => c.text('ok'))
    return app
  }

  const plain = () => routes(new Hono())
  const full = () => shield(problems(routes(new Hono().use(requestContext()) as unknown as Hono)))

  async function call(
    worker: { fetch(request: Request, env: object, context: ExecutionContext): Promise<Response> },
    path: string,
    init?: RequestInit,
  ): Promise<Response | { threw: unknown }> {
    const context = createExecutionContext()
    let result: Response | { threw: unknown }
    try {
      result = await worker.fetch(new Request(`https://app.example${path}`, init), {}, context)
    } catch (error) {
      result = { threw: error }
    }
    await waitOnExecutionContext(context).catch(() => {})
    return result
  }

  describe.each([
    ['a plain Hono app', plain],
    ['an app with problem details and shield', full],
  ])('%s', (_name, app) => {
    it('tells a thrown error once, with its cause, its stack, the route’s pattern and the request’s id', async () => {
      const response = await call(withCapture(options(), app()), '/users/4711/thrown')
      expect(response).toMatchObject({ status: 500 })
      expect(ingest.urls).toEqual([
        'https://ingest.example/path/api/42/envelope/?sentry_key=publickey&sentry_version=7',
      ])
      const [event] = ingest.errors
      expect(ingest.errors.length).toBe(1)
      expect(event).toMatchObject({
        transaction: 'GET /users/:id/thrown',
        level: 'error',
        release: 'v7',
        environment: 'test',
        tags: { work: 'request' },
        request: { method: 'GET', url: 'https://app.example/users/:id/thrown' },
      })
      expect(event?.event_id).toMatch(/^[\da-f]{32}$/)
      expect(event?.exception?.values.map(({ type, value }) => [type, value])).toEqual([
        ['TypeError', 'because'],
        ['Error', 'cannot'],
      ])
      expect(event?.exception?.values[1]?.mechanism).toEqual({ type: 'hono', handled: false })
      expect(event?.exception?.values[1]?.stacktrace?.frames.length).toBeGreaterThan(0)
      expect(event?.tags['request_id']).toMatch(/^[\da-f-]{36}$/)
      expect(ingest.raw.join()).not.toContain('4711')
    })

    it.each([
      ['/string', 'Thrown string', 'just text'],
      ['/object', 'Object', 'An object that is no error was thrown'],
      ['/null', 'Thrown object', 'null'],
    ])('tells what is thrown and is no error: %s', async (path, type, value) => {
      await call(withCapture(options(), app()), path)
      expect(ingest.errors.length).toBe(1)
      expect(ingest.errors[0]?.exception?.values.at(-1)).toMatchObject({ type, value })
      expect(ingest.errors[0]?.transaction).toBe(`GET ${path}`)
      expect(ingest.raw.join()).not.toContain('hunter2')
    })

    it('tells what an AggregateError holds, beside its own cause', async () => {
      const worker = withCapture(options(), {
        fetch: async () => {
          const cause = new Error('underneath')
          throw new AggregateError([new TypeError('one'), new RangeError('two'), 'no error'], 'all failed', {
            cause,
          })
        },
      })
      await call(worker, '/')
      const told = ingest.errors[0]?.exception?.values.map(({ type, value }) => `${type}: ${value}`)
      expect(told?.at(-1)).toBe('AggregateError: all failed')
      expect(told).toEqual(expect.arrayContaining(['TypeError: one', 'RangeError: two', 'Error: underneath']))
      expect(told?.length).toBe(4)
    })

    it('tells a server’s HTTPException and not a client’s, nor what says it is expected', async () => {
      const worker = withCapture(options(), app())
      for (const path of ['/missing', '/teapot', '/expected', '/fine', '/nowhere']) await call(worker, path)
      expect(ingest.errors).toEqual([])
      await call(worker, '/bad-gateway')
      expect(ingest.errors.length).toBe(1)
    })

    it('tells a reply of 500 that nobody threw', async () => {
      await call(withCapture(options(), app()), '/returned/4711')
      expect(ingest.errors).toMatchObject([
        {
          message: 'GET /returned/:id answered 500',
          transaction: 'GET /returned/:id',
          tags: { status: '500' },
          fingerprint: ['response', 'GET /returned/:id', '500'],
        },
      ])
    })

    it.each([
      ['/late', 'behind the reply'],
      ['/later', 'long behind the reply'],
    ])('tells a promise that is rejected behind the reply: %s', async (path, message) => {
      const response = await call(withCapture(options(), app()), path)
      expect(response).toMatchObject({ status: 200 })
      expect(ingest.errors).toMatchObject([
        {
          transaction: `GET ${path}`,
          exception: { values: [{ value: message, mechanism: { type: 'wait-until', handled: false } }] },
        },
      ])
    })

    it('sends a transaction of a work in the sample, with the spans of what it did', async () => {
      const inner = app()
      const worker = withCapture(options({ tracesSampleRate: 1 }), {
        fetch: async (request: Request, env: object, context: ExecutionContext) => {
          await span('db.query', 'select users', async () => {})
          return inner.fetch(request, env as never, context as never)
        },
      })
      await call(worker, '/fine')
      expect(ingest.transactions).toMatchObject([
        {
          transaction: 'GET /fine',
          contexts: { trace: { op: 'http.server', status: 'ok' } },
          spans: [{ op: 'db.query', description: 'select users' }],
        },
      ])
    })
  })

  describe('other work', () => {
    const failing = {
      async queue() {
        throw new Error('bad batch')
      },
      async scheduled() {
        throw new Error('bad tick')
      },
    }

    it('tells failing batches and ticks, and lets the platform know as well', async () => {
      const worker = withCapture(options({ tracesSampleRate: 1 }), failing)
      expect(Object.keys(worker).sort()).toEqual(['queue', 'scheduled'])
      const context = createExecutionContext()
      await expect(worker.queue(createMessageBatch('jobs', []) as never, {}, context)).rejects.toThrow(
        'bad batch',
      )
      await expect(
        worker.scheduled(createScheduledController({ cron: '17 3 * * *' }) as never, {}, context),
      ).rejects.toThrow('bad tick')
      await waitOnExecutionContext(context)
      expect(ingest.errors).toMatchObject([
        {
          transaction: 'queue jobs',
          exception: { values: [{ mechanism: { type: 'queue', handled: false } }] },
        },
        {
          transaction: 'scheduled 17 3 * * *',
          exception: { values: [{ mechanism: { type: 'scheduled' } }] },
        },
      ])
      expect(ingest.transactions.length).toBe(2)
    })

    it('serves as the reporter of other rooms, inside a work and outside of any', async () => {
      const capture = createCapture(options())
      capture.captureException(new Error('at module scope'), { level: 'warning', tags: { job: 'mail' } })
      await expect.poll(() => ingest.errors.length).toBe(1)
      const worker = withCapture(capture, {
        fetch: async () => {
          currentWork()?.facts.set('userId', 'u-1')
          capture.captureMessage('took the slow way', { extra: { password: 'hunter2hunter2', count: 3 } })
          return new Response('ok')
        },
      })
      await call(worker, '/')
      expect(ingest.errors).toMatchObject([
        { level: 'warning', tags: { job: 'mail' } },
        { level: 'info', message: 'took the slow way', user: { id: 'u-1' }, extra: { count: 3 } },
      ])
      expect(ingest.raw.join()).not.toContain('hunter2')
    })
  })

  describe('never in the way', () => {
    it('changes no reply and keeps no request waiting when the ingest hangs', async () => {
      ingest.reply = () => new Promise(() => {})
      const worker = withCapture(options(), plain())
      const context = createExecutionContext()
      const response = await worker.fetch(new Request('https://app.example/returned/1'), {} as never, context)
      expect(await response.json()).toEqual({ no: true })
    })

    it('does nothing without a DSN', async () => {
      const worker = withCapture(options({ dsn: undefined }), plain())
      expect(await call(worker, '/fine')).toMatchObject({ status: 200 })
      expect(ingest.urls).toEqual([])
    })

    it('refuses a wrong DSN when built, without repeating it', () => {
      for (const dsn of ['private', 'https://private/1', 'https://k@private/', 'ftp://k@private/1']) {
        expect(() => createCapture({ dsn })).toThrow(TypeError)
        expect(() => createCapture({ dsn })).not.toThrow(/private/)
      }
    })

    it('tells a bounded number of errors of one work', async () => {
      const capture = createCapture(options({ maxErrors: 3 }))
      const worker = withCapture(capture, {
        fetch: async () => {
          for (let i = 0; i < 50; i++) capture.captureException(new Error(`${i}`))
          return new Response('ok')
        },
      })
      await call(worker, '/')
      expect(ingest.errors.length).toBe(3)
    })

    it('survives errors made to break it', async () => {
      const hostile = new Error('x')
      Object.defineProperty(hostile, 'message', {
        get() {
          throw new Error('gotcha')
        },
      })
      const cyclic = new Error('cyclic')
      cyclic.cause = cyclic
      const capture = createCapture(options())
      const worker = withCapture(capture, {
        fetch: async () => {
          for (const error of [
            hostile,
            cyclic,
            new Proxy(
              {},
              {
                get: () => {
                  throw new Error('proxy')
                },
              },
            ),
            Symbol('s'),
            10n,
          ]) {
            capture.captureException(error)
          }
          return new Response('ok')
        },
      })
      expect(await call(worker, '/')).toMatchObject({ status: 200 })
      expect(ingest.errors.length).toBeGreaterThanOrEqual(3)
    })
  })

  describe('while the ingest says no', () => {
    const one = (message: string) => ({
      fetch: async () => {
        throw new Error(message)
      },
    })

    it.each([
      [{ 'Retry-After': '1' }],
      [{ 'X-Sentry-Rate-Limits': '1:error;transaction:key' }],
      [{ 'X-Sentry-Rate-Limits': '1::organization' }],
    ])('keeps the event, does not knock again, and sends it when it may: %j', async (headers) => {
      const capture = createCapture(options())
      ingest.reply = () => new Response('', { status: 429, headers })
      await call(withCapture(capture, one('first')), '/')
      expect(ingest.urls.length).toBe(1)
      ingest.reply = () => new Response('{}')
      await call(withCapture(capture, one('second')), '/')
      expect(ingest.urls.length).toBe(1)
      await scheduler.wait(1050)
      await call(withCapture(capture, { fetch: async () => new Response('ok') }), '/')
      expect(ingest.errors.map(({ exception }) => exception?.values[0]?.value)).toEqual(['first', 'second'])
    })

    it('keeps what an outage would lose, within bounds', async () => {
      const capture = createCapture(options())
      ingest.reply = () => {
        throw new Error('network')
      }
      for (let i = 0; i < 60; i++) await call(withCapture(capture, one(`e${i}`)), '/')
      expect(ingest.urls.length).toBe(1)
      ingest.reply = () => new Response('{}')
      await scheduler.wait(2050)
      await call(withCapture(capture, { fetch: async () => new Response('ok') }), '/')
      expect(ingest.errors.length).toBe(50)
      expect(ingest.errors[0]?.exception?.values[0]?.value).toBe('e0')
    })
  })

  it('lets no secret out, wherever it was', async () => {
    const secret = 'sk_live_4eC39HqLyjWDarjtT1zdp7dc'
    const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U'
    const mail = 'ada.lovelace@example.com'
    const address = '203.0.113.77'
    const all = [secret, jwt, mail, address, 'correct-horse-battery']
    const stuffed = all.join(' ')
    const capture = createCapture(options({ tracesSampleRate: 1 }))
    const app = new Hono().use(captureMiddleware())
    app.onError((_error, c) => c.text('failed', 500))
    app.all('/reset/:token', async (c) => {
      await span('db.query', `select '${secret}' from users where mail = '${mail}'`, async () => {})
      const error = new TypeError(
        `failed for ${mail} with Bearer ${jwt}, from ${address}; password=correct-horse-battery`,
        {
          cause: new Error(`token ${secret}`),
        },
      )
      Object.assign(error, { body: await c.req.text(), password: 'correct-horse-battery' })
      capture.captureException(new Error('handled'), {
        tags: { who: mail, key: secret },
        extra: {
          headers: Object.fromEntries(c.req.raw.headers),
          nested: { password: 'correct-horse-battery', jwt, note: mail },
        },
        fingerprint: [mail],
      })
      capture.captureException({ password: 'correct-horse-battery', toString: () => stuffed })
      capture.captureMessage(`hello ${mail} ${secret}`)
      c.executionCtx.waitUntil(Promise.reject(`${secret} ${mail}`))
      throw error
    })
    const query = new URLSearchParams({
      token: secret,
      password: 'correct-horse-battery',
      q: mail,
      redirect: `https://x.example/?t=${jwt}`,
    })
    await call(withCapture(capture, app), `/reset/${jwt}?${query}`, {
      method: 'POST',
      body: JSON.stringify({ password: 'correct-horse-battery', mail }),
      headers: {
        authorization: `Bearer ${jwt}`,
        cookie: `session=${secret}`,
        'cf-connecting-ip': address,
        'x-forwarded-for': address,
        'x-api-key': secret,
        referer: `https://app.example/reset/${jwt}`,
        'user-agent': `agent ${mail}`,
      },
    })
    expect(ingest.errors.length).toBe(5)
    const sent = ingest.raw.join('\n')
    for (const one of all) {
      expect(sent).not.toContain(one)
      expect(sent).not.toContain(encodeURIComponent(one))
      expect(sent).not.toContain(btoa(one))
    }
  })
}
