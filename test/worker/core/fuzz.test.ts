import { BreakwaterError, problems, type RequestContextEnv, requestContext, shield } from 'breakwater/core'
import { log, logger } from 'breakwater/log'
import { bodyLimit, secure } from 'breakwater/secure'
import { validate } from 'breakwater/validate'
import fc from 'fast-check'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { afterAll, expect, it, vi } from 'vitest'
import { z } from 'zod'

// What must never be seen outside, planted where failures happen. Put together at run time for scanners' sake.
const SECRET = ['sk', 'live', '4eC39HqLyjWDarjtT1zdp7dc'].join('_')
const PASSWORD = 'correct-horse-battery'

const lines: string[] = []
const consoleLines: string[] = []
const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((method) =>
  vi.spyOn(console, method).mockImplementation((...args: unknown[]) => {
    consoleLines.push(args.map(String).join(' '))
  }),
)
afterAll(() => {
  for (const spy of spies) spy.mockRestore()
})

const thrown: (() => unknown)[] = [
  () => new Error(`failed with ${SECRET}`, { cause: new Error(`password=${PASSWORD}`) }),
  () => SECRET,
  () => ({ token: SECRET, password: PASSWORD }),
  () => null,
  () => new HTTPException(502, { message: SECRET }),
  () => new BreakwaterError('dependency-unavailable', { status: 503, cause: SECRET }),
  () => new Error(`Failed query: insert into users values ($1)\nparams: ${PASSWORD}`),
  () => new Error(`postgres://app:${PASSWORD}@db.example/x`),
]

const users = new Hono<RequestContextEnv>()
  .get('/:id', validate('param', z.object({ id: z.string().max(8) })), (c) => c.json(c.req.valid('param')))
  .put(
    '/:id',
    validate('json', z.object({ name: z.string(), password: z.string().min(64).optional() })),
    (c) => {
      logger.info('renamed', { ...c.req.valid('json'), cookie: c.req.header('cookie') })
      return c.json({ ok: true })
    },
  )
  .delete('/:id', (c) => c.body(null, 204))

const app = shield(
  problems(
    new Hono<RequestContextEnv>()
      .use(
        requestContext(),
        log({ write: (line) => lines.push(line), path: true }),
        secure({
          cors: { origins: ['https://app.example.com'], credentials: true },
          body: { json: 512, jsonDepth: 16, text: 512, form: 512, multipart: 512, other: 512 },
        }),
      )
      .get('/', (c) => c.html(`<script nonce="${c.var.cspNonce()}"></script>`))
      .get(
        '/search',
        validate('query', z.object({ q: z.string(), page: z.coerce.number().int().optional() })),
        (c) => c.json(c.req.valid('query')),
      )
      .post('/echo', async (c) => c.json(await c.req.json()))
      .post('/form', async (c) => c.json(Object.keys(await c.req.parseBody({ all: true, dot: true }))))
      .post('/bytes', bodyLimit({ other: 64 }), async (c) => c.json((await c.req.arrayBuffer()).byteLength))
      .get('/boom/:n', (c) => {
        throw thrown[Number(c.req.param('n')) % thrown.length]?.()
      })
      .get('/files/*', (c) => c.text(c.req.path.length.toString()))
      .route('/users', users),
  ),
)

const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '../../etc/passwd',
    '%00',
    '%c0%af',
    '%',
    '%zz',
    '\r\nSet-Cookie: a=1',
    '{"__proto__":{"admin":true}}',
    '<script>alert(1)</script>',
    '[[[[[[[[[[[[[[[[[[[[[[[[',
    '{"name":1,"name":2}',
    '\u2028',
    'null',
    '"',
    SECRET,
  ),
)
const path = fc.oneof(
  fc.constantFrom(
    '/',
    '/search',
    '/echo',
    '/form',
    '/bytes',
    '/users',
    '/users/7',
    '/nowhere',
    '/boom',
    '/files/a/b',
  ),
  fc.nat({ max: 20 }).map((n) => `/boom/${n}`),
  fc
    .tuple(fc.constantFrom('/users/', '/files/', '/search?q=', '/search?page=', '/'), hostileText)
    .map((parts) => parts.join('')),
)
const method = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS') },
  { weight: 1, arbitrary: fc.constantFrom('PURGE', 'PROPFIND', 'QUERY', 'get') },
)
const headers = fc.dictionary(
  fc.constantFrom(
    'accept',
    'content-type',
    'origin',
    'sec-fetch-site',
    'cookie',
    'authorization',
    'x-request-id',
    'traceparent',
    'tracestate',
    'access-control-request-method',
    'content-length',
    'upgrade',
  ),
  fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom(
      'application/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/plain',
      'text/html,*/*;q=0.8',
      'https://app.example.com',
      'null',
      'cross-site',
      'same-origin',
      `Bearer ${SECRET}`,
      `session=${SECRET}`,
      `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      'websocket',
      '5',
      'POST',
    ),
  ),
  { maxKeys: 5 },
)
const body = fc.option(
  fc.oneof(
    hostileText,
    fc.json({ maxDepth: 4 }),
    fc.constant('x'.repeat(2000)),
    fc.constant('['.repeat(300)),
    fc.uint8Array({ maxLength: 80 }),
  ),
)

it('answers any request with a reply that is meant, and lets no stack and no secret out', async () => {
  let replies = 0
  await fc.assert(
    fc.asyncProperty(method, path, headers, body, async (method, path, headers, body) => {
      let request: Request
      try {
        request = new Request(new URL(path, 'https://api.example.com'), {
          method,
          headers,
          ...(body !== null && method !== 'GET' && method !== 'HEAD' && { body: body as string }),
        })
      } catch {
        return // nothing that HTTP could carry
      }
      const reply = await app.fetch(request, {}, { waitUntil() {}, passThroughOnException() {}, props: {} })
      replies++
      const text = await reply.text()
      const label = `${method} ${path} → ${reply.status}`

      const deliberate = new URL(request.url).pathname.startsWith('/boom/')
      if (reply.status >= 500) expect(deliberate, label).toBe(true)
      expect(reply.headers.get('x-request-id'), label).toMatch(/^[0-9a-f-]{36}$/)
      expect(reply.headers.get('x-content-type-options'), label).toBe('nosniff')
      expect(reply.headers.get('strict-transport-security'), label).toBeTruthy()
      const allowed = reply.headers.get('access-control-allow-origin')
      if (allowed !== null) expect(allowed, label).toBe('https://app.example.com')
      if (method === 'HEAD') expect(text, label).toBe('')
      if (reply.status === 405) expect(reply.headers.get('allow'), label).toBeTruthy()
      if (reply.headers.get('content-type') === 'application/problem+json' && text !== '') {
        expect(JSON.parse(text), label).toMatchObject({ status: reply.status, type: expect.any(String) })
      }
      expect(text, label).not.toMatch(/\bat \S+ \(|\.ts:\d|node_modules/)
      if (!path.includes(SECRET) && body !== SECRET) expect(text, label).not.toContain(SECRET)
      expect(text, label).not.toContain(PASSWORD)
    }),
    { numRuns: 1500 },
  )
  expect(replies).toBeGreaterThan(1000)
  // Every line is one line of JSON, and none tells a secret, not even one that came in with the request.
  expect(lines.length).toBeGreaterThanOrEqual(replies)
  for (const line of [...lines, ...consoleLines]) {
    expect(line).not.toMatch(/[\r\n\u2028\u2029]/)
    expect(line).not.toContain(SECRET)
    expect(line).not.toContain(PASSWORD)
    expect(() => JSON.parse(line)).not.toThrow()
  }
}, 30_000)
