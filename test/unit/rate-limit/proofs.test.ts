import { createLimiter, memory, type RateLimiter, type RateLimitStore, upstash } from 'breakwater/rate-limit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { accuracy } from './accuracy.ts'
import { EmbeddedRedis } from './embedded-redis.ts'

const EPOCH = 1_790_000_000_123

describe('ten thousand requests, in memory', () => {
  for (const [name, run] of Object.entries(accuracy)) {
    it(name, async () => {
      let ms = EPOCH
      await run(
        {
          stores: [memory({ now: () => ms })],
          async advance(by) {
            ms += by
          },
        },
        name,
      )
    })
  }
})

describe('clocks that differ between isolates', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
  afterEach(() => void vi.useRealTimers())

  const policies = {
    fixed: { quota: 5, window: '2 s', algorithm: 'fixed-window' },
    sliding: { quota: 5, window: '2 s' },
    bucket: { quota: 5, window: '2 s', algorithm: 'token-bucket', burst: 2 },
    strict: { quota: 3, window: '2 s', penalty: { after: 2, ceiling: '8 s' } },
    slots: { quota: 2, window: '2 s', algorithm: 'concurrency' },
  } as const

  /** What three isolates decide in turn, over a minute. */
  async function decide(skews: readonly ((at: number) => number)[]): Promise<string> {
    const redis = new EmbeddedRedis(EPOCH)
    const isolates = skews.map(() => createLimiter({ store: upstash(redis), policies }))
    let said = ''
    for (let i = 0; i < 250; i++) {
      redis.ms += [0, 3, 150, 7, 490][i % 5] as number
      const n = (i * 7) % skews.length
      vi.setSystemTime(redis.ms + (skews[n]?.(redis.ms - EPOCH) ?? 0))
      for (const policy of Object.keys(policies)) {
        const { allowed } = await (isolates[n] as RateLimiter).check([{ policy, key: 'k' }])
        said += allowed ? '1' : '0'
      }
    }
    return said
  }

  it('decide as one clock would: the store’s', async () => {
    const together = await decide([() => 0, () => 0, () => 0])
    expect(await decide([() => -2000, () => 0, () => 2000])).toBe(together)
    expect(together).toMatch(/01.*10/)
  })

  it('let no more through when one is set back or forth on the way', async () => {
    const count = (said: string) => said.split('1').length - 1
    const together = count(await decide([() => 0, () => 0, () => 0]))
    const jumping = count(
      await decide([(at) => (at > 20_000 ? -2000 : 0), () => 0, (at) => (at > 30_000 ? 2000 : 0)]),
    )
    // Whoever was set back takes a block for longer than it is, never the other way round.
    expect(jumping).toBeLessThanOrEqual(together * 1.02)
    expect(jumping).toBeGreaterThan(together * 0.8)
  })
})

describe('a hundred thousand keys of hostile shapes', () => {
  /** Keys that a sloppy scheme would take for each other, or that would not fit, or break what they stand in. */
  function* hostile(): Generator<string> {
    const shapes: ((n: number) => string)[] = [
      (n) => `ip:10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
      (n) => `account:${n}`,
      (n) => `account:${n} `,
      (n) => `account:${n}\u0000`,
      (n) => `account:\n${n}\r\n`,
      (n) => `a:${'b:'.repeat(n % 50)}${n}`,
      (n) => `${'x'.repeat(2000)}${n}`,
      (n) => `*[${n}]?`,
      (n) => `é${n}`,
      (n) => `e\u0301${n}`,
      (n) => `\ud800${n}`,
      (n) => `\ud801${n}`,
      (n) => `\ufffd${n}`,
      (n) => `${n}\udfff`,
      (n) => `😀${n}`,
      (n) => `__proto__${n}`,
      (n) => `}{${n}`,
      (n) => `"];redis.call('FLUSHALL')--${n}`,
      (n) => `ACCOUNT:${n}`,
      (n) => `\u202e${n}`,
    ]
    for (let n = 0; n < 5000; n++) for (const shape of shapes) yield shape(n)
  }

  const policies = { once: { quota: 1, window: '1 h', algorithm: 'fixed-window' } } as const
  async function spend(store: RateLimitStore, keys: readonly string[]): Promise<void> {
    const limiter = createLimiter({ store, policies, timeout: 60_000 })
    for (let i = 0; i < keys.length; i += 100) {
      const { allowed } = await limiter.check(keys.slice(i, i + 100).map((key) => ({ policy: 'once', key })))
      // Two that collide would be one key that spends twice.
      expect(allowed).toBe(true)
    }
  }

  it('do not collide', async () => {
    const keys = [...hostile()]
    expect(new Set(keys).size).toBe(100_000)
    await spend(memory({ maxKeys: 200_000 }), keys)
  }, 30_000)

  it('have short names in Redis, and every one of them ends', async () => {
    const redis = new EmbeddedRedis(EPOCH)
    // A part of each shape: what is asked is the same for all, and a script run takes its time here.
    await spend(upstash(redis), [...hostile()].slice(0, 20_000))
    const stored = redis.lifetimes()
    expect(stored.size).toBe(20_000)
    for (const [name, left] of stored) {
      if (name.length > 64 || !/^[\w:-]+$/.test(name) || left <= 0 || left > 3_600_000)
        throw new Error(`${JSON.stringify(name)} ends in ${left}`)
    }
    redis.ms += 3_600_001
    expect(redis.lifetimes().size).toBe(0)
  }, 30_000)

  it('do not fill the isolate', async () => {
    const store = {
      ...memory({ maxKeys: 10 }),
      take: async (charges: readonly unknown[]) => charges.map(() => REFUSED),
    }
    const REFUSED = { allowed: false, remaining: 0, reset: 9e5, retry: 9e5, block: 9e5, penalized: true }
    const limiter = createLimiter({ store, maxBlocked: 1000 })
    const keys = [...hostile()]
    for (let i = 0; i < keys.length; i += 100)
      await limiter.check(keys.slice(i, i + 100).map((key) => ({ policy: 'default', key })))
    const remembered = keys.filter((key) => !limiter.known([{ policy: 'default', key }]).allowed)
    expect(remembered.length).toBe(1000)
    // The latest are the ones that are likely to come again.
    expect(remembered).toEqual(keys.slice(-1000))
  }, 30_000)
})
