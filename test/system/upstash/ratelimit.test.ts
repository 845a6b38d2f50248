import { MultiRegionRatelimit, Ratelimit } from '@upstash/ratelimit'
import { Redis } from '@upstash/redis/cloudflare'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type StandIn, serveStandIn } from '../../../src/local/server.ts'
import { createUpstashApp } from '../../../src/local/upstash/index.ts'
import { type RealRedis, startRedis } from './differential.ts'

// The limiter reads Date, which the tests set; both stores expire by real time.
const realTime = () => performance.timeOrigin + performance.now()

let redis: RealRedis | undefined
let embedded: StandIn
let forwarding: StandIn | undefined

beforeAll(async () => {
  redis = await startRedis()
  embedded = await serveStandIn(createUpstashApp({ token: 't', now: () => Math.floor(realTime()) }))
  if (redis) forwarding = await serveStandIn(createUpstashApp({ token: 't', redisUrl: redis.url }))
})

afterAll(async () => {
  vi.useRealTimers()
  await embedded.stop()
  await forwarding?.stop()
  await redis?.stop()
})

const client = (standIn: StandIn): Redis =>
  new Redis({ url: standIn.url, token: 't', enableTelemetry: false })

type Limiter = Ratelimit | MultiRegionRatelimit

/** Drives a limiter through a fixed sequence of times, costs and users. */
async function drive(limiter: Limiter): Promise<unknown[]> {
  const start = Date.UTC(2026, 10, 22, 12, 0, 0)
  const seen: unknown[] = []
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    for (let i = 0; i < 40; i++) {
      vi.setSystemTime(start + i * 1700)
      const user = i % 7 === 0 ? 'other' : 'user'
      const rate = i % 11 === 5 ? 3 : i % 13 === 8 ? -1 : 1
      const { success, limit, remaining, reset, pending } = await limiter.limit(user, { rate })
      await pending
      seen.push({ success, limit, remaining, reset })
      if (i % 9 === 4) seen.push(await limiter.getRemaining(user))
      if (i === 25) await limiter.resetUsedTokens(user)
    }
  } finally {
    vi.useRealTimers()
  }
  return seen
}

const algorithms = {
  'a fixed window': () => Ratelimit.fixedWindow(5, '10 s'),
  'a sliding window': () => Ratelimit.slidingWindow(5, '10 s'),
  'a sliding window of 25 days, whose milliseconds need more than 31 bits when doubled': () =>
    Ratelimit.slidingWindow(5, '25 d'),
  'a token bucket': () => Ratelimit.tokenBucket(2, '5 s', 6),
  'a cached fixed window': () => Ratelimit.cachedFixedWindow(5, '10 s'),
}

describe.each(Object.entries(algorithms))('%s of @upstash/ratelimit', (_, algorithm) => {
  test('decides on the embedded store as on a real Redis', async (context) => {
    const limiter = (standIn: StandIn, prefix: string) =>
      new Ratelimit({
        redis: client(standIn),
        limiter: algorithm(),
        prefix,
        ephemeralCache: new Map(),
        enableTelemetry: false,
      })
    const prefix = `p${Math.random()}`
    const mine = await drive(limiter(embedded, prefix))
    expect(mine).toContainEqual(expect.objectContaining({ success: true }))
    if (!forwarding) {
      context.skip('redis-server is not on PATH: nothing to compare with')
      return
    }
    expect(mine).toEqual(await drive(limiter(forwarding, prefix)))
  })
})

describe.each([
  ['a fixed window', () => MultiRegionRatelimit.fixedWindow(5, '10 s')],
  ['a sliding window', () => MultiRegionRatelimit.slidingWindow(5, '10 s')],
])('%s across regions', (_, algorithm) => {
  test('decides on the embedded store as on a real Redis', async (context) => {
    const limiter = (standIn: StandIn) =>
      new MultiRegionRatelimit({
        redis: [client(standIn), client(standIn)],
        limiter: algorithm(),
        prefix: 'regions',
        enableTelemetry: false,
      })
    const mine = await drive(limiter(embedded))
    expect(mine).toContainEqual(expect.objectContaining({ success: false }))
    if (!forwarding) {
      context.skip('redis-server is not on PATH: nothing to compare with')
      return
    }
    expect(mine).toEqual(await drive(limiter(forwarding)))
  })
})

test('a dynamic limit is set, obeyed and withdrawn', async () => {
  const limiter = new Ratelimit({
    redis: client(embedded),
    limiter: Ratelimit.fixedWindow(1, '1 h'),
    prefix: 'dynamic',
    dynamicLimits: true,
    ephemeralCache: false,
    enableTelemetry: false,
  })
  await limiter.setDynamicLimit({ limit: 3 })
  expect(await limiter.getDynamicLimit()).toEqual({ dynamicLimit: 3 })
  const allowed = []
  for (let i = 0; i < 4; i++) allowed.push((await limiter.limit('u')).success)
  expect(allowed).toEqual([true, true, true, false])
  await limiter.setDynamicLimit({ limit: false })
  expect(await limiter.getDynamicLimit()).toEqual({ dynamicLimit: null })
})

test('blockUntilReady waits for the next window', async () => {
  const limiter = new Ratelimit({
    redis: client(embedded),
    limiter: Ratelimit.fixedWindow(1, '300 ms'),
    prefix: 'block',
    ephemeralCache: false,
    enableTelemetry: false,
  })
  expect((await limiter.limit('u')).success).toBe(true)
  expect((await limiter.blockUntilReady('u', 5000)).success).toBe(true)
})

test('commands of one tick travel as one request', async () => {
  const redis = client(embedded)
  const before = embedded.stats().total
  await Promise.all([redis.set('a', 1), redis.incr('a'), redis.hset('h', { f: 'v' })])
  expect(embedded.stats().total - before).toBe(1)
})
