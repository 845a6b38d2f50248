import { isBreakwaterError, runWork, type Work } from 'breakwater/core'
import {
  type Charge,
  createLimiter,
  deferLimit,
  limit,
  memory,
  type RateLimitEnv,
  type RateLimitStore,
  rateLimit,
} from 'breakwater/rate-limit'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest'

// A window's edge inside a test would let one more request pass.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

function counting(): RateLimitStore & { calls: string[][] } {
  const inner = memory()
  const calls: string[][] = []
  return {
    ...inner,
    calls,
    take(charges: readonly Charge[]) {
      calls.push(charges.map(({ policy }) => policy.name))
      return inner.take(charges)
    },
  }
}

const policies = {
  default: { quota: 5, window: '1 m' },
  search: { quota: 2, window: '1 m', algorithm: 'fixed-window' },
} as const

function app(store = counting(), wrap = (a: Hono<RateLimitEnv>) => a) {
  const limits = rateLimit({ limiter: { store, policies } })
  const hono = new Hono<RateLimitEnv>()
  hono.onError((error, c) => {
    if (!isBreakwaterError(error)) return c.text(String(error), 500)
    for (const [name, value] of Object.entries(error.headers)) c.header(name, value)
    return c.json({ code: error.code, ...error.extensions }, error.status as 429)
  })
  hono.use(limits)
  hono.get('/plain', (c) => c.text('ok'))
  hono.get('/raw', () => new Response('raw'))
  hono.get('/boom', () => {
    throw new Error('boom')
  })
  hono.get('/search', limits.limit('search'), (c) => c.text('found'))
  return { hono: wrap(hono), limits, store }
}

const from = (ip: string) => ({ headers: { 'cf-connecting-ip': ip } })

describe('rateLimit()', () => {
  it('says the policy and what is left on every reply, errors and hand-made ones included', async () => {
    const { hono } = app()
    for (const path of ['/plain', '/raw', '/boom', '/nowhere']) {
      const response = await hono.request(path, from(`198.51.100.${path.length}`))
      expect(response.headers.get('RateLimit-Policy')).toBe('"default";q=5;w=60')
      expect(response.headers.get('RateLimit')).toMatch(/^"default";r=4;t=\d+$/)
    }
  })

  it('decides about every policy of a route in one call', async () => {
    const { hono, store } = app()
    const response = await hono.request('/search', from('198.51.100.1'))
    expect(store.calls).toEqual([['default', 'search']])
    expect(response.headers.get('RateLimit-Policy')).toBe('"default";q=5;w=60, "search";q=2;w=60')
    expect(response.headers.get('RateLimit')).toMatch(/^"default";r=4;t=\d+, "search";r=1;t=60$/)
  })

  it('refuses with 429, says which policy and when, and takes nothing from the others', async () => {
    const { hono } = app()
    await hono.request('/search', from('198.51.100.1'))
    await hono.request('/search', from('198.51.100.1'))
    const refused = await hono.request('/search', from('198.51.100.1'))
    expect(refused.status).toBe(429)
    expect(await refused.json()).toEqual({ code: 'quota-exceeded', 'violated-policies': ['search'] })
    const retry = Number(refused.headers.get('Retry-After'))
    expect(retry).toBeGreaterThan(0)
    expect(retry).toBeLessThanOrEqual(60)
    expect(refused.headers.get('RateLimit')).toBe(`"search";r=0;t=${retry}`)
    const plain = await hono.request('/plain', from('198.51.100.1'))
    expect(plain.headers.get('RateLimit')).toMatch(/^"default";r=2;/)
  })

  it('finds the limits of a route in a sub-app, with and without an error handler of its own', async () => {
    for (const own of [false, true]) {
      const store = counting()
      const limits = rateLimit({ limiter: { store, policies } })
      const sub = new Hono().get('/search', limit('search'), (c) => c.text('found'))
      if (own) sub.onError((_error, c) => c.text('sub', 500))
      const hono = new Hono().use(limits).route('/sub', sub)
      expect((await hono.request('/sub/search')).status).toBe(200)
      expect(store.calls).toEqual([['default', 'search']])
    }
  })

  it('does not charge a limit that stands behind the handler that answers', async () => {
    const store = counting()
    const limits = rateLimit({ limiter: { store, policies } })
    const hono = new Hono()
      .use(limits)
      .get('/x', (c) => c.text('first'))
      .get('/x', limits.limit('search'), (c) => c.text('second'))
    await hono.request('/x')
    expect(store.calls).toEqual([['default']])
  })

  it('decides a limit with its own key when it is reached, knowing what middleware set', async () => {
    const store = counting()
    const limits = rateLimit({ limiter: { store, policies } })
    const hono = new Hono<{ Variables: { user: string } }>()
    hono.use(limits)
    hono.use(async (c, next) => {
      c.set('user', c.req.query('user') ?? '')
      await next()
    })
    hono.get('/x', limits.limit('search', { key: (c) => `user:${c.get('user')}` }), (c) => c.text('ok'))
    for (const user of ['a', 'a', 'b']) expect((await hono.request(`/x?user=${user}`)).status).toBe(200)
    const refused = await hono.request('/x?user=a')
    expect(refused.status).toBe(429)
    expect(store.calls.slice(0, 2)).toEqual([['default'], ['search']])
  })

  it('takes one round trip for a joined limit that reads the body', async () => {
    const store = counting()
    const limits = rateLimit({ limiter: { store, policies } })
    const key = async (c: { req: { json(): Promise<{ email: string }> } }) => (await c.req.json()).email
    const hono = new Hono()
      .use(limits)
      .post('/x', limits.limit('search', { key, when: 'join' }), async (c) => c.json(await c.req.json()))
    hono.onError((_error, c) => c.text('bad', 400))
    const response = await hono.request('/x', { method: 'POST', body: '{"email":"a@example.com"}' })
    expect(await response.json()).toEqual({ email: 'a@example.com' })
    expect(store.calls).toEqual([['default', 'search']])
    expect(response.headers.get('RateLimit')).toMatch(/"default";r=4.*"search";r=1/)
    // A body that cannot be read never reaches the limit; the app-wide policy is charged all the same.
    await hono.request('/x', { method: 'POST', body: '{' })
    expect(store.calls.slice(1)).toEqual([['default']])
  })

  it('joins a service’s own check where the route says so, and charges even when the service never asks', async () => {
    const store = counting()
    const limiter = createLimiter({ store, policies })
    const late: Promise<unknown>[] = []
    const hono = new Hono()
      .use((_c, next) =>
        runWork({ waitUntil: (p: Promise<unknown>) => late.push(p) } as unknown as Work, () => next()),
      )
      .use(rateLimit({ limiter }))
      .use('/auth/*', deferLimit())
      .post('/auth/sign-in', async (c) => {
        const { allowed } = await limiter.check([{ policy: 'credentials', key: 'account:a' }])
        return c.json({ allowed })
      })
      .post('/auth/other', (c) => c.text('ok'))
    const response = await hono.request('/auth/sign-in', { method: 'POST' })
    expect(await response.json()).toEqual({ allowed: true })
    expect(response.headers.get('RateLimit')).toMatch(/"default";r=4.*"credentials";r=9/)
    expect(store.calls).toEqual([['default', 'credentials']])
    await hono.request('/auth/other', { method: 'POST' })
    expect(late.length).toBe(1)
    await Promise.all(late)
    expect(store.calls.slice(1)).toEqual([['default']])
  })

  it('shares a /64 and separates IPv4 addresses', async () => {
    const { hono } = app()
    const left = async (ip: string) =>
      Number(/r=(\d+)/.exec((await hono.request('/plain', from(ip))).headers.get('RateLimit') ?? '')?.[1])
    expect(await left('2001:db8:1:2::1')).toBe(4)
    expect(await left('2001:db8:1:2:ffff::9')).toBe(3)
    expect(await left('2001:db8:1:3::1')).toBe(4)
    expect(await left('192.0.2.1')).toBe(4)
    expect(await left('192.0.2.2')).toBe(4)
  })

  it('calls a penalized key what it is', async () => {
    const limits = rateLimit({
      limiter: {
        store: memory(),
        policies: { default: { quota: 1, window: '1 m', penalty: { after: 1 } } },
      },
    })
    const { hono } = app(undefined, () => {
      const inner = new Hono<RateLimitEnv>().use(limits).get('/', (c) => c.text('ok'))
      inner.onError((error, c) =>
        isBreakwaterError(error) ? c.json({ code: error.code }, error.status as 429) : c.text('', 500),
      )
      return inner
    })
    await hono.request('/')
    for (let i = 0; i < 2; i++) {
      expect(await (await hono.request('/')).json()).toEqual({ code: 'abnormal-usage-detected' })
    }
  })

  it('does not count what it is told to skip', async () => {
    const store = counting()
    const hono = new Hono()
      .use(rateLimit({ limiter: { store }, skip: (c) => c.req.path === '/healthz' }))
      .get('/healthz', (c) => c.text('ok'))
    expect((await hono.request('/healthz')).headers.has('RateLimit')).toBe(false)
    expect(store.calls).toEqual([])
  })

  it('starts the check before anything else when a guard asks it to, and once', async () => {
    const store = counting()
    const limits = rateLimit({ limiter: { store, policies } })
    const order: string[] = []
    const hono = new Hono()
      .use((c, next) => {
        limits.start(c)
        order.push(`started ${store.calls.length}`)
        return next()
      })
      .use(limits)
      .get('/', (c) => c.text('ok'))
    expect((await hono.request('/')).headers.get('RateLimit')).toMatch(/r=4/)
    expect(order).toEqual(['started 1'])
    expect(store.calls.length).toBe(1)
  })

  it('charges a route’s limit once where two app-wide policies are on the way', async () => {
    const store = counting()
    const limits = rateLimit({ limiter: { store, policies } })
    const hono = new Hono()
      .use(limits)
      .use('/api/*', rateLimit({ limiter: limits.limiter, policy: 'expensive' }))
      .get('/api/search', limits.limit('search'), (c) => c.text('found'))
    const response = await hono.request('/api/search')
    expect(store.calls).toEqual([['default', 'search'], ['expensive']])
    expect(response.headers.get('RateLimit')).toMatch(/"default";r=4.*"search";r=1.*"expensive";r=9/)
  })

  it('refuses unknown policies when the app is built, and says when it is missing itself', async () => {
    const limits = rateLimit({ limiter: { store: memory(), policies } })
    // @ts-expect-error not a policy
    expect(() => limits.limit('serach')).toThrow()
    // @ts-expect-error not a policy
    expect(() => rateLimit({ limiter: { store: memory() }, policy: 'defualt' })).toThrow()
    const hono = new Hono().get('/', limit('search'), (c) => c.text('ok'))
    hono.onError((error, c) => c.text(isBreakwaterError(error) ? error.code : 'other', 500))
    expect(await (await hono.request('/')).text()).toBe('misconfigured')
  })

  it('types what it adds to the context', () => {
    new Hono().use(rateLimit({ limiter: { store: memory() } })).get('/', (c) => {
      expectTypeOf(c.var.rateLimit.decisions[0]).not.toBeAny()
      expectTypeOf(c.var.rateLimit.limiter.check).toBeFunction()
      return c.text('')
    })
  })
})
