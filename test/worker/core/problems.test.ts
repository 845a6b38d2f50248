import { BreakwaterError, problems, type RequestContextEnv, requestContext, shield } from 'breakwater/core'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

interface Document {
  type: string
  title: string
  status: number
  detail?: string
  instance?: string
  code?: string
  errors?: unknown
  debug?: unknown
  [more: string]: unknown
}

const complaints = vi.spyOn(console, 'error')
beforeEach(() => {
  complaints.mockReset().mockImplementation(() => {})
})
afterEach(() => {
  complaints.mockReset().mockImplementation(() => {})
})

function appThatThrows(thrown: () => unknown, options: Parameters<typeof problems>[1] = {}) {
  const app = new Hono<RequestContextEnv>()
  app.use(requestContext())
  app.get('/', (c) => {
    c.header('X-Before', 'kept')
    c.header('Set-Cookie', 'a=1', { append: true })
    c.header('Set-Cookie', 'b=2', { append: true })
    c.header('ETag', '"of-the-lost-reply"')
    throw thrown()
  })
  return shield(problems(app, options))
}

function get(
  app: { fetch(request: Request, ...rest: unknown[]): Response | Promise<Response> },
  headers: Record<string, string> = {},
  method = 'GET',
  path = '/',
): Promise<Response> {
  return Promise.resolve(
    app.fetch(
      new Request(`https://example.com${path}`, { headers, method }),
      {},
      {
        waitUntil() {},
        passThroughOnException() {},
      },
    ),
  )
}

function hostileProxy(): unknown {
  const boom = (): never => {
    throw new Error('trap')
  }
  return new Proxy(
    {},
    {
      get: boom,
      has: boom,
      ownKeys: boom,
      getPrototypeOf: boom,
      getOwnPropertyDescriptor: boom,
      set: boom,
      defineProperty: boom,
    },
  )
}

function hostileError(): Error {
  class Hostile extends Error {
    override get message(): string {
      throw new Error('no message for you')
    }
    override get name(): string {
      throw new Error('no name for you')
    }
    override get stack(): string {
      throw new Error('no stack for you')
    }
    get status(): number {
      throw new Error('no status for you')
    }
    override toString(): string {
      throw new Error('no string for you')
    }
  }
  return new Hostile()
}

function cyclic(): Error {
  const error = new Error('a')
  error.cause = new Error('b', { cause: error })
  return error
}

describe('anything thrown becomes a problem document', () => {
  const hostile: Record<string, () => unknown> = {
    'a string': () => 'secret-string',
    'a number': () => 42,
    null: () => null,
    undefined: () => undefined,
    'a symbol': () => Symbol('s'),
    'a BigInt': () => 1n,
    'a function': () => () => 1,
    'a plain object': () => ({ status: 200, message: 'not yours' }),
    'a frozen object': () => Object.freeze({ getResponse: () => new Response('gotcha') }),
    'a frozen error': () => Object.freeze(new Error('cold')),
    'a proxy that throws on every trap': hostileProxy,
    'an error whose getters throw': hostileError,
    'an error with a cyclic cause': cyclic,
    'an error with a hostile cause': () => new Error('x', { cause: hostileProxy() }),
    'a promise': () => Promise.resolve(new Response('hello')),
    'a rejected promise': () => Promise.reject(new Error('nobody listens')),
    'an error without a prototype': () => Object.setPrototypeOf(new Error('x'), null),
    'an HTTPException with a status that is no error': () =>
      new HTTPException(200 as 400, { message: 'fine' }),
    'an HTTPException with a status that is no status': () => new HTTPException(99 as 400),
    'an error whose getResponse throws': () =>
      Object.assign(new Error('x'), { res: new Response(), getResponse: () => JSON.parse('{') }),
    'our error with impossible headers': () =>
      new BreakwaterError('internal', { status: 500, headers: { 'bad name': 'x', good: 'a\nb' } }),
    'our error with extensions that JSON cannot hold': () =>
      new BreakwaterError('internal', { status: 500, extensions: { big: 1n } }),
  }
  for (const [name, make] of Object.entries(hostile)) {
    for (const development of [false, true]) {
      it(`${name}, ${development ? 'in development' : 'in production'}`, async () => {
        const reply = await get(appThatThrows(make, { development }))
        expect(reply.status).toBe(500)
        expect(reply.headers.get('content-type')).toBe('application/problem+json')
        const document = await reply.json<Document>()
        expect(document).toMatchObject({ status: 500, code: 'internal', title: 'Internal' })
        expect(document.instance).toBe(`urn:uuid:${reply.headers.get('x-request-id')}`)
        if (!development) expect(JSON.stringify(document)).not.toMatch(/secret-string|nobody|cold|debug|at /)
        expect(complaints).toHaveBeenCalledOnce()
      })
    }
  }

  it('keeps header fields and every cookie set before the failure, for errors and non-errors', async () => {
    for (const thrown of [() => new Error('x'), () => 'x', () => new HTTPException(418)]) {
      const reply = await get(appThatThrows(thrown))
      expect(reply.headers.get('x-before')).toBe('kept')
      expect(reply.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
      expect(reply.headers.get('etag')).toBeNull()
      expect(reply.headers.get('cache-control')).toBe('no-store')
    }
  })

  it('survives an error inside the error handler', async () => {
    const app = new Hono()
    app.onError(() => {
      throw new Error('twice')
    })
    app.get('/', () => {
      throw new Error('once')
    })
    const reply = await get(shield(app))
    expect(reply.status).toBe(500)
    expect(await reply.json()).toMatchObject({ code: 'internal' })
  })

  it('survives a handler that answers with nothing', async () => {
    const reply = await get(shield({ fetch: () => undefined as unknown as Response }))
    expect(reply.status).toBe(500)
    expect(reply.headers.get('x-request-id')).toBeTruthy()
  })
})

describe('what the caller sees', () => {
  it('shows neither stack nor cause in production, both in development, and no secret in the console', async () => {
    const failure = () => new Error('connect postgres://app:hunter2@db/x', { cause: new Error('root') })
    const production = await (await get(appThatThrows(failure))).text()
    expect(production).not.toMatch(/connect|hunter2|root|problems\.test/)
    const development = await (await get(appThatThrows(failure, { development: true }))).text()
    expect(development).toMatch(/connect/)
    expect(development).toMatch(/root/)
    expect(development).toMatch(/problems\.test/)
    expect(complaints).toHaveBeenCalledTimes(2)
    expect(String(complaints.mock.calls)).toMatch(/connect …/)
    expect(String(complaints.mock.calls)).not.toMatch(/hunter2/)
  })

  it('decides about development by the environment it runs in', async () => {
    const app = appThatThrows(() => new Error('x'), {
      development: (env) => env['ENVIRONMENT'] === 'development',
    })
    const request = () => new Request('https://example.com/')
    expect(await (await app.fetch(request(), { ENVIRONMENT: 'development' })).json()).toHaveProperty('debug')
    expect(await (await app.fetch(request(), { ENVIRONMENT: 'production' })).json()).not.toHaveProperty(
      'debug',
    )
    expect(await (await app.fetch(request(), undefined)).json()).not.toHaveProperty('debug')
  })

  it('renders one of our errors with its code, type, detail, headers and extensions', async () => {
    const reply = await get(
      appThatThrows(
        () =>
          new BreakwaterError('quota-exceeded', {
            status: 429,
            detail: 'Too many.',
            headers: { 'Retry-After': '7' },
            extensions: { violated: ['default'], status: 'never overrides' },
            cause: new Error('hidden'),
          }),
        { typeBase: 'https://docs.example/e/' },
      ),
    )
    expect(reply.status).toBe(429)
    expect(reply.headers.get('retry-after')).toBe('7')
    expect(await reply.json()).toEqual({
      type: 'https://docs.example/e/quota-exceeded',
      title: 'Quota exceeded',
      status: 429,
      detail: 'Too many.',
      code: 'quota-exceeded',
      violated: ['default'],
      instance: `urn:uuid:${reply.headers.get('x-request-id')}`,
    })
    expect(complaints).not.toHaveBeenCalled()
  })

  it('knows our errors across duplicate installs', async () => {
    const foreign = Object.assign(new Error('Not today.'), {
      [Symbol.for('breakwater.error')]: true,
      code: 'forbidden',
      status: 403,
      fields: [],
      headers: {},
      extensions: {},
      report: false,
    })
    const reply = await get(appThatThrows(() => foreign))
    expect(reply.status).toBe(403)
    expect(await reply.json()).toMatchObject({ code: 'forbidden', detail: 'Not today.' })
  })

  it('keeps the response an HTTPException brings, with what was set before it', async () => {
    const reply = await get(
      appThatThrows(
        () =>
          new HTTPException(401, {
            res: new Response('Who are you?', { status: 401, headers: { 'WWW-Authenticate': 'Basic' } }),
          }),
      ),
    )
    expect(reply.status).toBe(401)
    expect(await reply.text()).toBe('Who are you?')
    expect(reply.headers.get('www-authenticate')).toBe('Basic')
    expect(reply.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(reply.headers.get('x-request-id')).toBeTruthy()
  })

  it('falls back to a problem document when that response was used up by an earlier request', async () => {
    const shared = new HTTPException(403, { res: new Response('once') })
    const app = appThatThrows(() => shared)
    expect(await (await get(app)).text()).toBe('once')
    const second = await get(app)
    expect(second.status).toBe(403)
    expect(await second.json()).toMatchObject({ code: 'forbidden' })
  })

  it("shows the message of somebody else's 4xx, and hides that of a 5xx", async () => {
    const teapot = await get(appThatThrows(() => new HTTPException(418, { message: 'short and stout' })))
    expect(await teapot.json()).toMatchObject({ type: 'about:blank', status: 418, detail: 'short and stout' })
    const broken = await get(appThatThrows(() => new HTTPException(502, { message: 'db-7 is down' })))
    expect(await broken.text()).not.toContain('db-7')
  })

  it('writes a page for a browser, escaped and without scripts', async () => {
    const reply = await get(
      appThatThrows(
        () =>
          new BreakwaterError('validation-failed', {
            status: 422,
            detail: '<script>alert(1)</script>',
            fields: [{ pointer: '/"><img>', detail: '<b>' }],
          }),
      ),
      { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' },
    )
    expect(reply.status).toBe(422)
    expect(reply.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(reply.headers.get('vary')).toBe('Accept')
    const page = await reply.text()
    expect(page).toMatch(/<html lang="en">.*<title>Validation failed<\/title>.*<main><h1>/)
    expect(page).not.toMatch(/<script|<img|<b>/)
    expect(page).toContain(reply.headers.get('x-request-id'))
  })

  it('answers HEAD without a body', async () => {
    for (const accept of ['*/*', 'text/html']) {
      for (const path of ['/', '/missing']) {
        const reply = await get(
          appThatThrows(() => new Error('x')),
          { accept },
          'HEAD',
          path,
        )
        expect(reply.status).toBe(path === '/' ? 500 : 404)
        expect(await reply.text()).toBe('')
      }
    }
    const bare = await get(
      shield({
        fetch: () => {
          throw 'x'
        },
      }),
      {},
      'HEAD',
    )
    expect(await bare.text()).toBe('')
  })

  it('adds to a Vary that is there', async () => {
    const app = new Hono()
    app.get('/', (c) => {
      c.header('Vary', 'Origin')
      throw new Error('x')
    })
    expect((await get(problems(app))).headers.get('vary')).toBe('Origin, Accept')
  })
})

describe('a failure after the reply was made', () => {
  it('does not leave the description of the lost reply on the problem document', async () => {
    const app = new Hono()
    app.use(async (c, next) => {
      await next()
      c.header('X-After', 'kept')
      throw new Error('too late')
    })
    app.get('/', () => {
      return new Response('compressed, honestly', {
        headers: {
          'Content-Encoding': 'gzip',
          'Content-Disposition': 'attachment',
          'Cache-Control': 'public, max-age=99',
          'Content-Type': 'text/csv',
        },
      })
    })
    const reply = await get(problems(app))
    expect(reply.status).toBe(500)
    expect(reply.headers.get('content-encoding')).toBeNull()
    expect(reply.headers.get('content-disposition')).toBeNull()
    expect(reply.headers.get('cache-control')).toBe('no-store')
    expect(reply.headers.get('content-type')).toBe('application/problem+json')
    expect(reply.headers.get('x-after')).toBe('kept')
    expect(await reply.json()).toMatchObject({ code: 'internal' })
  })
})

describe('paths and methods', () => {
  const users = new Hono()
    .get('/:id', (c) => c.text(c.req.param('id')))
    .delete('/:id', (c) => c.text('gone'))
    .post('/', (c) => c.text('made'))
  const app = problems(
    new Hono()
      .use(requestContext())
      .get('*', async (_c, next) => next())
      .on('PURGE', '/cache', (c) => c.text('purged'))
      .all('/any', (c) => c.text('any'))
      .route('/users', users),
  )

  it('answers 404 where there is no route, whatever the method', async () => {
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
      const reply = await get(app, {}, method, '/nowhere')
      expect(reply.status).toBe(404)
      expect(reply.headers.get('allow')).toBeNull()
      expect(await reply.json()).toMatchObject({ code: 'not-found', title: 'Not found' })
    }
  })

  it('answers 405 with Allow where the path has routes for other methods', async () => {
    const reply = await get(app, {}, 'PUT', '/users/7')
    expect(reply.status).toBe(405)
    expect(reply.headers.get('allow')).toBe('DELETE, GET, HEAD')
    expect(await reply.json()).toMatchObject({ code: 'method-not-allowed' })
    expect((await get(app, {}, 'GET', '/users')).headers.get('allow')).toBe('POST')
    expect((await get(app, {}, 'GET', '/cache')).headers.get('allow')).toBe('PURGE')
    expect((await get(app, {}, 'HEAD', '/cache')).status).toBe(405)
    expect((await get(app, {}, 'PUT', '/any')).status).toBe(200)
  })

  it('answers OPTIONS with Allow', async () => {
    const reply = await get(app, {}, 'OPTIONS', '/users/7')
    expect(reply.status).toBe(204)
    expect(reply.headers.get('allow')).toBe('DELETE, GET, HEAD')
    expect(reply.headers.get('x-request-id')).toBeTruthy()
  })

  it('leaves a 404 that a handler made itself alone, and renders the one it asks for', async () => {
    const own = problems(
      new Hono()
        .get('/own', (c) => c.json({ mine: true }, 404))
        .get('/asked', (c) => {
          c.header('X-Before', 'kept')
          return c.notFound()
        }),
    )
    expect(await (await get(own, {}, 'GET', '/own')).json()).toEqual({ mine: true })
    const asked = await get(own, {}, 'GET', '/asked')
    expect(asked.status).toBe(404)
    expect(asked.headers.get('x-before')).toBe('kept')
    expect(await asked.json()).toMatchObject({ code: 'not-found' })
  })
})

describe('sub-apps', () => {
  it('renders what a sub-app throws, and what it does not know', async () => {
    const sub = new Hono().get('/boom', () => {
      throw new BreakwaterError('conflict', { status: 409 })
    })
    sub.notFound((c) => c.text('never asked', 404)) // Hono ignores it
    const app = problems(new Hono().route('/sub', sub))
    expect(await (await get(app, {}, 'GET', '/sub/boom')).json()).toMatchObject({ code: 'conflict' })
    expect(await (await get(app, {}, 'GET', '/sub/else')).json()).toMatchObject({ code: 'not-found' })
  })

  it('lets a sub-app keep an error handler of its own, which still knows the methods of its paths', async () => {
    const sub = new Hono().get('/boom', () => {
      throw new Error('x')
    })
    sub.onError((_error, c) => c.text('mine', 500))
    const app = problems(new Hono().use(requestContext()).route('/sub', sub))
    expect(await (await get(app, {}, 'GET', '/sub/boom')).text()).toBe('mine')
    expect((await get(app, {}, 'POST', '/sub/boom')).headers.get('allow')).toBe('GET, HEAD')
  })

  it('works in a sub-app as well as in its parent', async () => {
    const sub = problems(
      new Hono().get('/boom', () => {
        throw new BreakwaterError('conflict', { status: 409 })
      }),
    )
    const app = problems(new Hono().use(requestContext()).route('/sub', sub))
    const reply = await get(app, {}, 'GET', '/sub/boom')
    expect(reply.status).toBe(409)
    expect(reply.headers.get('x-request-id')).toBeTruthy()
  })
})

describe('bodies that are not what they say', () => {
  const app = problems(
    new Hono()
      .post('/json', async (c) => c.json(await c.req.json()))
      .post('/form', async (c) => c.json(Object.keys(await c.req.parseBody())))
      .post('/form-data', async (c) => c.json([...(await c.req.formData()).keys()]))
      .post('/upstream', async (c) => {
        await c.req.json()
        return c.json(JSON.parse('<html>'))
      })
      .post('/twice', async (c) => {
        await c.req.raw.text()
        return c.text(await c.req.text())
      }),
  )
  function post(path: string, type: string, body: string): Promise<Response> {
    return Promise.resolve(app.request(path, { method: 'POST', body, headers: { 'Content-Type': type } }))
  }

  it('blames the caller for malformed JSON and malformed forms', async () => {
    const json = await post('/json', 'application/json', '{"a":')
    expect(json.status).toBe(400)
    expect(await json.json()).toMatchObject({ code: 'malformed-json' })
    expect((await post('/json', 'application/json', '')).status).toBe(400)
    for (const path of ['/form', '/form-data']) {
      const form = await post(path, 'multipart/form-data; boundary=x', 'nothing of the kind')
      expect(form.status).toBe(400)
      expect(await form.json()).toMatchObject({ code: 'bad-request' })
    }
    expect(complaints).not.toHaveBeenCalled()
  })

  it('does not blame the caller for our own mistakes', async () => {
    expect((await post('/upstream', 'application/json', '{}')).status).toBe(500)
    expect((await post('/twice', 'text/plain', 'x')).status).toBe(500)
  })
})
