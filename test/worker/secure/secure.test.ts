import { BreakwaterError, problems, type RequestContextEnv, requestContext, shield } from 'breakwater/core'
import { cors, csrf, type SecureEnv, secure, secureHeaders, timeBudget } from 'breakwater/secure'
import { Hono } from 'hono'
import { describe, expect, it, vi } from 'vitest'

vi.spyOn(console, 'error').mockImplementation(() => {})

const EXPECTED = {
  'strict-transport-security': 'max-age=63072000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'strict-origin-when-cross-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

function expectSecure(reply: Response): void {
  for (const [name, value] of Object.entries(EXPECTED)) expect(reply.headers.get(name), name).toBe(value)
  expect(reply.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  expect(reply.headers.get('permissions-policy')).toContain('camera=()')
  expect(reply.headers.get('cross-origin-embedder-policy')).toBeNull()
}

describe('header fields', () => {
  const app = shield(
    problems(
      new Hono<RequestContextEnv & SecureEnv>()
        .use(requestContext(), secure())
        .get('/', (c) => c.text('hello'))
        .get('/raw', () => new Response('raw'))
        .get('/redirect', () => Response.redirect('https://example.com/'))
        .get(
          '/own',
          () =>
            new Response('x', {
              headers: { 'Content-Security-Policy': 'sandbox', 'X-Frame-Options': 'SAMEORIGIN' },
            }),
        )
        .get('/error', () => {
          throw new Error('x')
        })
        .get('/string', (c) => {
          c.header('Set-Cookie', 'a=1')
          throw 'not an error'
        })
        .get('/page', (c) =>
          c.html(`<script nonce="${c.var.cspNonce()}"></script><i>${c.var.cspNonce()}</i>`),
        )
        .get('/socket', () => {
          const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket]
          server.accept()
          server.send('hi')
          return new Response(null, { status: 101, webSocket: client })
        }),
    ),
  )
  const get = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    app.fetch(new Request(`https://example.com${path}`, { headers }))

  it('are on every reply: text, raw, redirects, errors, non-errors, 404, 405', async () => {
    for (const path of ['/', '/raw', '/redirect', '/error', '/string', '/nowhere'])
      expectSecure(await get(path))
    expect((await get('/string')).headers.getSetCookie()).toEqual(['a=1'])
    const post = await app.fetch(new Request('https://example.com/', { method: 'POST' }))
    expect(post.status).toBe(405)
    expectSecure(post)
  })

  it('leave alone what a handler set itself', async () => {
    const reply = await get('/own')
    expect(reply.headers.get('content-security-policy')).toBe('sandbox')
    expect(reply.headers.get('x-frame-options')).toBe('SAMEORIGIN')
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('carry a nonce only where a page asked for one, and a new one each time', async () => {
    expect((await get('/')).headers.get('content-security-policy')).not.toContain('nonce')
    const seen = new Set<string>()
    for (let i = 0; i < 3; i++) {
      const reply = await get('/page')
      const [, nonce = ''] = /nonce="([\w-]{24})"/.exec(await reply.text()) ?? []
      expect(reply.headers.get('content-security-policy')).toContain(`script-src 'self' 'nonce-${nonce}'`)
      expect(reply.headers.get('content-security-policy')).toContain(`style-src 'self' 'nonce-${nonce}'`)
      seen.add(nonce)
    }
    expect(seen.size).toBe(3)
  })

  it('do not break a WebSocket', async () => {
    const reply = await get('/socket', { upgrade: 'websocket', 'sec-fetch-site': 'same-origin' })
    expect(reply.status).toBe(101)
    expect(reply.webSocket).toBeTruthy()
  })

  it('can be changed one by one', async () => {
    const custom = new Hono()
      .use(
        secureHeaders({
          strictTransportSecurity: false,
          contentSecurityPolicy: {
            'script-src': ["'none'"],
            'connect-src': ['https://api.example.com'],
            'img-src': false,
          },
          reportOnly: true,
          permissionsPolicy: { camera: ['self', 'https://a.example'], fullscreen: ['*'] },
          crossOriginEmbedderPolicy: 'require-corp',
        }),
      )
      .get('/', (c) => c.text(c.var.cspNonce()))
    const { headers } = await custom.request('/')
    expect(headers.get('strict-transport-security')).toBeNull()
    expect(headers.get('content-security-policy')).toBeNull()
    const policy = headers.get('content-security-policy-report-only')
    expect(policy).toMatch(/connect-src https:\/\/api.example.com/)
    expect(policy).toMatch(/script-src 'nonce-/)
    expect(policy).not.toMatch(/img-src/)
    expect(headers.get('permissions-policy')).toContain('camera=(self "https://a.example")')
    expect(headers.get('permissions-policy')).toContain('fullscreen=*')
    expect(headers.get('cross-origin-embedder-policy')).toBe('require-corp')
  })

  it('are checked when the app is built', () => {
    expect(() => secureHeaders({ contentSecurityPolicy: { 'script-src': ['self'] } })).toThrow(
      /single quotes/,
    )
    expect(() => secureHeaders({ contentSecurityPolicy: { 'script-src': ["'self'; x"] } })).toThrow(TypeError)
    expect(() => secureHeaders({ contentSecurityPolicy: { scriptSrc: ["'self'"] } })).toThrow(TypeError)
    expect(() => secureHeaders({ referrerPolicy: 'a\r\nb' })).toThrow(TypeError)
    expect(() => secureHeaders({ permissionsPolicy: { 'a b': [] } })).toThrow(TypeError)
  })
})

describe('CORS', () => {
  const app = problems(
    new Hono()
      .use(
        secure({
          cors: { origins: ['https://app.example.com', 'https://*.preview.example.com'], credentials: true },
        }),
      )
      .get('/', (c) => c.text('x'))
      .post('/', (c) => c.text('made'))
      .get('/error', () => {
        throw new BreakwaterError('quota-exceeded', { status: 429, headers: { 'Retry-After': '3' } })
      }),
  )
  const from = (origin: string | undefined, path = '/', init: RequestInit = {}): Promise<Response> =>
    Promise.resolve(
      app.request(`https://api.example.com${path}`, {
        ...init,
        headers: {
          ...(origin !== undefined && { Origin: origin }),
          ...(init.headers as Record<string, string>),
        },
      }),
    )

  it('lets listed origins read replies, errors among them', async () => {
    for (const path of ['/', '/error', '/nowhere']) {
      const { headers } = await from('https://app.example.com', path)
      expect(headers.get('access-control-allow-origin')).toBe('https://app.example.com')
      expect(headers.get('access-control-allow-credentials')).toBe('true')
      expect(headers.get('access-control-expose-headers')).toMatch(
        /RateLimit, RateLimit-Policy, Retry-After, X-Request-Id/,
      )
      expect(headers.get('vary')).toMatch(/Origin/)
    }
  })

  it('tells others nothing, and caches that the answer varies', async () => {
    const strangers = [
      undefined,
      'null',
      'https://evil.example',
      'http://app.example.com',
      'https://app.example.com.evil.example',
      'https://app.example.com:8443',
      'https://a.b.preview.example.com',
      'https://preview.example.com',
      'https://evil.example/.preview.example.com',
      'HTTPS://APP.EXAMPLE.COM',
    ]
    for (const origin of strangers) {
      const { headers } = await from(origin)
      expect(headers.get('access-control-allow-origin'), origin).toBeNull()
      expect(headers.get('access-control-allow-credentials'), origin).toBeNull()
      expect(headers.get('vary')).toMatch(/Origin/)
    }
    expect((await from('https://pr-7.preview.example.com')).headers.get('access-control-allow-origin')).toBe(
      'https://pr-7.preview.example.com',
    )
  })

  it('answers a preflight without calling the route', async () => {
    const preflight = {
      method: 'OPTIONS',
      headers: { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-anything' },
    }
    const allowed = await from('https://app.example.com', '/', preflight)
    expect(allowed.status).toBe(204)
    expect(allowed.headers.get('access-control-allow-methods')).toContain('POST')
    expect(allowed.headers.get('access-control-allow-headers')).not.toContain('x-anything')
    expect(allowed.headers.get('access-control-allow-headers')).toContain('Idempotency-Key')
    expect(allowed.headers.get('access-control-max-age')).toBe('600')
    expect(allowed.headers.get('vary')).toBe(
      'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
    )
    expect(allowed.headers.get('x-content-type-options')).toBe('nosniff')
    const refused = await from('https://evil.example', '/', preflight)
    expect(refused.headers.get('access-control-allow-origin')).toBeNull()
    expect(refused.headers.get('access-control-allow-methods')).toBeNull()
  })

  it('leaves an OPTIONS that is no preflight to the app', async () => {
    expect((await from(undefined, '/', { method: 'OPTIONS' })).headers.get('allow')).toBe('GET, HEAD, POST')
  })

  it('trusts the same origins for unsafe requests', async () => {
    const headers = { 'Sec-Fetch-Site': 'cross-site', Cookie: 'a=1' }
    expect((await from('https://app.example.com', '/', { method: 'POST', headers })).status).toBe(200)
    expect((await from('https://evil.example', '/', { method: 'POST', headers })).status).toBe(403)
  })

  it('refuses unsafe options when it is built', () => {
    expect(() => cors({ origins: '*', credentials: true })).toThrow(/list of origins/)
    for (const origin of [
      '*',
      'null',
      'https://*',
      'https://*.com',
      'https://*.*.example.com',
      'https://app.example.com/',
      'http://app.example.com',
      'app.example.com',
      'https://user@app.example.com',
      'ftp://example.com',
    ]) {
      expect(() => cors({ origins: [origin] }), origin).toThrow(TypeError)
      expect(() => secure({ cors: { origins: [origin] } }), origin).toThrow(TypeError)
    }
    expect(() => cors({ origins: ['https://a.example'], allowHeaders: ['*'] })).toThrow(TypeError)
    expect(() => cors({ origins: ['https://a.example'], methods: ['get'] })).toThrow(TypeError)
    expect(() => cors({ origins: ['http://localhost:5173'] })).not.toThrow()
  })

  it('reads origins from the environment, and still never reflects', async () => {
    const byEnv = new Hono<{ Bindings: { APP_ORIGIN: string } }>()
      .use(cors({ origins: (c) => [c.env.APP_ORIGIN] }))
      .get('/', (c) => c.text('x'))
    const ask = (origin: string, APP_ORIGIN: string) =>
      byEnv.request('/', { headers: { origin } }, { APP_ORIGIN })
    expect(
      (await ask('https://a.example', 'https://a.example')).headers.get('access-control-allow-origin'),
    ).toBe('https://a.example')
    expect(
      (await ask('https://a.example', 'https://b.example')).headers.get('access-control-allow-origin'),
    ).toBeNull()
    expect((await ask('https://a.example', '*')).status).toBe(500)
  })

  it('allows everybody without credentials when told so', async () => {
    const open = new Hono().use(cors({ origins: '*' })).get('/', (c) => c.text('x'))
    const { headers } = await open.request('/', { headers: { origin: 'https://any.example' } })
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(headers.get('access-control-allow-credentials')).toBeNull()
  })
})

describe('CSRF', () => {
  const app = problems(
    new Hono()
      .use(csrf({ origins: ['https://partner.example'], skip: (c) => c.req.path === '/webhook' }))
      .all('*', (c) => c.text('done')),
  )
  const ask = async (headers: Record<string, string>, method = 'POST', path = '/'): Promise<number> =>
    (await app.request(`https://example.com${path}`, { method, headers })).status

  it('refuses unsafe requests that another site made', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PURGE']) {
      expect(await ask({ 'Sec-Fetch-Site': 'cross-site' }, method)).toBe(403)
      expect(await ask({ 'Sec-Fetch-Site': 'same-site' }, method)).toBe(403)
      expect(await ask({ Origin: 'https://evil.example', Cookie: 'a=1' }, method)).toBe(403)
      expect(await ask({ Origin: 'null' }, method)).toBe(403)
      expect(await ask({ 'Sec-Fetch-Site': 'made-up' }, method)).toBe(403)
    }
  })

  it('does not take the Origin’s word over Sec-Fetch-Site', async () => {
    expect(await ask({ 'Sec-Fetch-Site': 'cross-site', Origin: 'https://example.com' })).toBe(403)
  })

  it('refuses a WebSocket handshake from another site', async () => {
    expect(await ask({ Upgrade: 'websocket', Origin: 'https://evil.example' }, 'GET')).toBe(403)
    expect(await ask({ Upgrade: 'websocket', Origin: 'https://example.com' }, 'GET')).toBe(200)
  })

  it('lets pass: safe methods, our own pages, listed origins, what is no browser, skipped paths', async () => {
    expect(await ask({ 'Sec-Fetch-Site': 'cross-site' }, 'GET')).toBe(200)
    expect(await ask({ 'Sec-Fetch-Site': 'same-origin', Cookie: 'a=1' })).toBe(200)
    expect(await ask({ 'Sec-Fetch-Site': 'none' })).toBe(200)
    expect(await ask({ Origin: 'https://example.com' })).toBe(200)
    expect(await ask({ 'Sec-Fetch-Site': 'cross-site', Origin: 'https://partner.example' })).toBe(200)
    expect(await ask({ Cookie: 'a=1' })).toBe(200)
    expect(await ask({ 'Sec-Fetch-Site': 'cross-site' }, 'POST', '/webhook')).toBe(200)
  })

  it('exempts a bearer token only when no cookie came with it', async () => {
    const token = { 'Sec-Fetch-Site': 'cross-site', Authorization: 'Bearer abc' }
    expect(await ask(token)).toBe(200)
    expect(await ask({ ...token, Cookie: 'session=1' })).toBe(403)
    expect(await ask({ 'Sec-Fetch-Site': 'cross-site', Authorization: 'Basic abc' })).toBe(403)
  })

  it('allows the same site when told so', async () => {
    const wide = problems(new Hono().use(csrf({ sameSite: true })).post('/', (c) => c.text('done')))
    const status = async (site: string) =>
      (await wide.request('/', { method: 'POST', headers: { 'Sec-Fetch-Site': site } })).status
    expect(await status('same-site')).toBe(200)
    expect(await status('cross-site')).toBe(403)
  })
})

describe('time budgets', () => {
  it('end a route that takes too long with 504 and abort its signal, whether it listens or not', async () => {
    let reason: unknown
    const app = problems(
      new Hono<RequestContextEnv>()
        .use(requestContext())
        .get('/deaf', timeBudget(20), async (c) => {
          const { currentWork } = await import('breakwater/core')
          currentWork()?.signal.addEventListener('abort', () => {
            reason = currentWork()?.signal.reason
          })
          await scheduler.wait(2000)
          return c.text('late')
        })
        .get('/fast', timeBudget('5 s'), (c) => c.text('in time')),
    )
    const late = await app.request('/deaf')
    expect(late.status).toBe(504)
    expect(await late.json()).toMatchObject({ code: 'deadline-exceeded' })
    expect(late.headers.get('x-request-id')).toBeTruthy()
    expect(reason).toMatchObject({ code: 'deadline-exceeded' })
    expect((await app.request('/fast')).status).toBe(200)
    expect(() => timeBudget(0)).toThrow(TypeError)
  })
})
