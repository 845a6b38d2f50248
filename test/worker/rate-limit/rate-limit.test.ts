/// <reference types="@cloudflare/vitest-plugin/types" />
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { Redis } from '@upstash/redis/cloudflare'
import { problems, requestContext } from 'breakwater/core'
import { deferLimit, limit, memory, rateLimit, upstash } from 'breakwater/rate-limit'
import { Hono } from 'hono'
import { afterEach, expect, it, vi } from 'vitest'

afterEach(() => vi.restoreAllMocks())

async function get(
  app: { fetch(request: Request, env: object, context: ExecutionContext): Response | Promise<Response> },
  path: string,
) {
  const context = createExecutionContext()
  const response = await app.fetch(
    new Request(`https://app.example${path}`, { headers: { 'cf-connecting-ip': '2001:db8::1' } }),
    {},
    context,
  )
  await waitOnExecutionContext(context)
  return response
}

const policies = { search: { quota: 1, window: '1 m', algorithm: 'fixed-window' } } as const

it('answers a refusal with problem details, Retry-After and the draft’s fields', async () => {
  const app = problems(
    new Hono()
      .use(requestContext())
      .use(rateLimit({ limiter: { store: memory(), policies } }))
      .get('/search', limit('search'), (c) => c.text('found')),
  )
  expect((await get(app, '/search')).status).toBe(200)
  const refused = await get(app, '/search')
  expect(refused.status).toBe(429)
  expect(refused.headers.get('content-type')).toContain('application/problem+json')
  expect(refused.headers.get('retry-after')).toBe('60')
  expect(refused.headers.get('ratelimit')).toBe('"search";r=0;t=60')
  expect(await refused.json()).toMatchObject({
    status: 429,
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    'violated-policies': ['search'],
  })
})

it('asks Redis once for a request, in the same tick as whatever else starts with it', async () => {
  const bodies: string[][][] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (_url, init) => {
    const commands = JSON.parse(String(init?.body)) as string[][]
    bodies.push(commands)
    return Response.json(
      commands.map(([name]) => ({
        result: name === 'evalsha' ? [1, 299, 60_000, 0, 0, 0, 1, 0, 60_000, 0, 0, 0] : null,
      })),
    )
  })
  const redis = new Redis({
    url: 'https://redis.example',
    token: 't',
    responseEncoding: false,
    enableTelemetry: false,
  })
  const limits = rateLimit({ limiter: { store: upstash(redis), policies } })
  let session: Promise<unknown> | undefined
  const app = new Hono()
    .use((c, next) => {
      limits.start(c)
      session = redis.getex('revoked:1')
      return next()
    })
    .use(limits)
    .get('/search', limits.limit('search'), async (c) => c.json({ session: await session }))
  const response = await get(app, '/search')
  expect(await response.json()).toEqual({ session: null })
  expect(response.headers.get('ratelimit')).toBe('"default";r=299;t=60, "search";r=0;t=60')
  expect(bodies.map((commands) => commands.map(([name]) => name))).toEqual([['evalsha', 'getex']])
})

it('charges the app-wide policy behind the reply when the route’s service never asked', async () => {
  const store = memory()
  const limits = rateLimit({ limiter: { store } })
  const app = new Hono()
    .use(requestContext())
    .use(limits)
    .use('/auth/*', deferLimit())
    .get('/auth/me', (c) => c.text('me'))
    .get('/plain', (c) => c.text('plain'))
  await get(app, '/auth/me')
  expect((await get(app, '/plain')).headers.get('ratelimit')).toMatch(/^"default";r=298;/)
})
