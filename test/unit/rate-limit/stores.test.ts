import { memory, upstash } from 'breakwater/rate-limit'
import { chargeFor, rateLimitStoreContract, type StoreUnderTest } from 'breakwater/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Policy } from '../../../src/rate-limit/policy.ts'
import { EmbeddedRedis } from './embedded-redis.ts'

function contract(make: () => Promise<StoreUnderTest>): void {
  for (const { name, run } of rateLimitStoreContract(make)) it(name, run)
}

const EPOCH = 1_790_000_000_123

describe('memory()', () => {
  contract(async () => {
    let ms = EPOCH
    return {
      store: memory({ now: () => ms }),
      async advance(by) {
        ms += by
      },
    }
  })

  it('keeps a bounded number of keys, the last used ones', async () => {
    const store = memory({ maxKeys: 2, now: () => 1_000_000 })
    const [a, b, c] = ['a', 'b', 'c'].map((key) => chargeFor('p', { quota: 5, window: '1 m' }, key))
    if (!a || !b || !c) throw new Error()
    await store.take([a])
    await store.take([b])
    await store.take([a])
    await store.take([c])
    expect((await store.peek([a]))[0]?.remaining).toBe(3)
    expect((await store.peek([b]))[0]?.remaining).toBe(5)
  })
})

describe('upstash()', () => {
  contract(async () => {
    const redis = new EmbeddedRedis(EPOCH)
    return {
      store: upstash(redis),
      async advance(by) {
        redis.ms += by
      },
    }
  })

  it('falls back to a plain script where the server does not know the flag', async () => {
    const redis = new EmbeddedRedis(EPOCH, true)
    const store = upstash(redis)
    const charge = chargeFor('p', { quota: 2, window: '1 m' }, 'k')
    expect((await store.take([charge]))[0]?.remaining).toBe(1)
    expect((await store.take([charge]))[0]?.remaining).toBe(0)
  })

  it('asks once for all policies, and leaves no key without an end', async () => {
    const redis = new EmbeddedRedis(EPOCH)
    const store = upstash(redis)
    const charges = ['a', 'b'].map((key) => chargeFor('p', { quota: 2, window: '1 m' }, key))
    await store.take(charges)
    redis.commands.length = 0
    await store.take(charges)
    expect(redis.commands.map(([name]) => name)).toEqual(['EVALSHA'])
    expect([...redis.lifetimes().values()].every((left) => left > 0)).toBe(true)
  })

  it('does not take a strange reply for an allowance', async () => {
    const store = upstash({ evalsha: async () => null, eval: async () => null, del: async () => 0 })
    await expect(store.take([chargeFor('p', { quota: 2, window: '1 m' }, 'k')])).rejects.toThrow('unexpected')
  })
})

const policies: Policy[] = [
  { quota: 4, window: '3 s', algorithm: 'fixed-window' },
  { quota: 7, window: '3 s', algorithm: 'sliding-window' },
  { quota: 7, window: '3 s', algorithm: 'token-bucket', burst: 3 },
  { quota: 3, window: '2 s', penalty: { after: 2, ceiling: '9 s', decay: '4 s' } },
  {
    quota: 3,
    window: '2 s',
    algorithm: 'fixed-window',
    penalty: { after: 1, ceiling: '5 s', decay: '3 s' },
    shadow: true,
  },
  { quota: 3, window: '2 s', algorithm: 'concurrency', penalty: { after: 3, ceiling: '4 s' } },
]
const step = fc.record({
  mode: fc.constantFrom('take', 'take', 'take', 'take', 'take', 'peek', 'refund', 'refund', 'reset', 'block'),
  which: fc.uniqueArray(fc.nat({ max: policies.length - 1 }), { minLength: 1, maxLength: 3 }),
  cost: fc.constantFrom(1, 1, 1, 2, 5, 9),
  lease: fc.integer({ min: 1, max: 4 }),
  length: fc.constantFrom(0, 1, 800, 5000),
  wait: fc.constantFrom(0, 0, 1, 17, 333.333, 900.001, 2000, 3001, 14_000),
})

describe('the two implementations of the rules', () => {
  it('agree about every sequence of calls', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const redis = new EmbeddedRedis(EPOCH)
        const lua = upstash(redis)
        const js = memory({ now: () => redis.ms })
        for (const { mode, which, cost, wait, lease, length } of steps) {
          redis.ms += Math.round(wait)
          const charges = which.map((i) => chargeFor(`p${i}`, policies[i] as Policy, `k${i}`, cost, lease))
          if (mode === 'block') {
            await Promise.all([lua.block(charges, length), js.block(charges, length)])
            continue
          }
          const call = mode as 'take' | 'peek' | 'refund' | 'reset'
          expect(await lua[call](charges)).toEqual(await js[call](charges))
        }
      }),
      { numRuns: 150 },
    )
  }, 30_000)

  it('tell the truth about when a retry succeeds: then, and not a millisecond sooner', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 3, maxLength: 30 }),
        fc.nat({ max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        async (steps, which, cost) => {
          let ms = EPOCH
          const store = memory({ now: () => ms })
          const charge = chargeFor('p', policies[which] as Policy, 'k', cost)
          for (const { cost: other, wait } of steps) {
            ms += wait
            await store.take([{ ...charge, cost: Math.min(other, 3) }])
          }
          const [said] = await store.peek([charge])
          if (!said || said.allowed) return
          const base = ms
          ms = base + said.retry - 1.001
          if (said.retry > 1) expect((await store.peek([charge]))[0]?.allowed).toBe(false)
          ms = base + said.retry
          // A block may end before there are units again.
          if (!said.penalized) expect((await store.peek([charge]))[0]?.allowed).toBe(true)
        },
      ),
      { numRuns: 400 },
    )
  })

  it('never let more than the quota through in a fixed window, nor more than burst and refill from a bucket', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 700 }), { minLength: 10, maxLength: 80 }), async (waits) => {
        let ms = 1_000_000
        const store = memory({ now: () => ms })
        const bucket = chargeFor('b', policies[2] as Policy, 'b')
        let passed = 0
        const start = ms
        for (const wait of waits) {
          ms += wait
          if ((await store.take([bucket]))[0]?.allowed) passed++
        }
        expect(passed).toBeLessThanOrEqual(3 + Math.floor(((ms - start + 1) * 7) / 3000))
      }),
    )
  })
})
