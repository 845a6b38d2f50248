import { runWork, type Work } from 'breakwater/core'
import {
  addressNetwork,
  type Charge,
  createLimiter,
  memory,
  presets,
  type RateLimitStore,
  upstash,
} from 'breakwater/rate-limit'
import { describe, expect, it, vi } from 'vitest'
import { EmbeddedRedis } from './embedded-redis.ts'

/** A store that counts its calls and can be told to fail or to hang. */
function faulty(
  inner: RateLimitStore = memory(),
): RateLimitStore & { mode: 'ok' | 'fail' | 'hang'; calls: Charge[][] } {
  const store = {
    ...inner,
    mode: 'ok' as 'ok' | 'fail' | 'hang',
    calls: [] as Charge[][],
    async take(charges: readonly Charge[]) {
      store.calls.push([...charges])
      if (store.mode === 'fail') throw new Error('refused')
      if (store.mode === 'hang') return new Promise<never>(() => {})
      return inner.take(charges)
    },
  }
  return store
}

const policies = {
  open: { quota: 1, window: '1 m', onStoreFailure: 'open' },
  closed: { quota: 1, window: '1 m', onStoreFailure: 'closed' },
  local: { quota: 2, window: '1 m', onStoreFailure: 'local' },
  strict: { quota: 1, window: '1 m', penalty: { after: 1 } },
  dear: { quota: 10, window: '1 m' },
} as const

describe('when the store is slow or out', () => {
  it.each(['fail', 'hang'] as const)('answers by each policy’s word (%s)', async (mode) => {
    const store = faulty()
    store.mode = mode
    const onStoreFailure = vi.fn()
    const limiter = createLimiter({ store, policies, timeout: 20, localShare: 1, onStoreFailure })
    const ask = (policy: string) => limiter.check([{ policy, key: 'k' }])
    expect(await ask('open')).toMatchObject({ allowed: true, by: 'outage' })
    expect(await ask('closed')).toMatchObject({ allowed: false, unavailable: true, violated: ['closed'] })
    expect(await ask('local')).toMatchObject({ allowed: true })
    expect(await ask('local')).toMatchObject({ allowed: true })
    expect(await ask('local')).toMatchObject({ allowed: false, unavailable: false, violated: ['local'] })
    expect(onStoreFailure).toHaveBeenCalledTimes(1)
    // After three failures in a row nobody waits for it any more.
    expect(store.calls.length).toBe(3)
  })

  it('goes back to the store when it answers again', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const store = faulty()
      const limiter = createLimiter({ store, policies })
      store.mode = 'fail'
      for (let i = 0; i < 5; i++) await limiter.check([{ policy: 'open', key: 'k' }])
      expect(store.calls.length).toBe(3)
      store.mode = 'ok'
      vi.advanceTimersByTime(1001)
      expect(await limiter.check([{ policy: 'open', key: 'k' }])).toMatchObject({
        by: 'store',
        allowed: true,
      })
      expect(await limiter.check([{ policy: 'open', key: 'j' }])).toMatchObject({ by: 'store' })
    } finally {
      vi.useRealTimers()
    }
  })

  it('is not brought down by an observer that throws', async () => {
    const store = faulty()
    store.mode = 'fail'
    const limiter = createLimiter({
      store,
      policies,
      onStoreFailure: () => {
        throw new Error('observer')
      },
    })
    expect((await limiter.check([{ policy: 'open', key: 'k' }])).allowed).toBe(true)
  })

  it('refuses when any policy is closed, and charges none locally', async () => {
    const store = faulty()
    store.mode = 'fail'
    const limiter = createLimiter({ store, policies })
    for (let i = 0; i < 4; i++) {
      const both = await limiter.check([
        { policy: 'local', key: 'k' },
        { policy: 'closed', key: 'k' },
      ])
      expect(both.allowed).toBe(false)
    }
    expect(await limiter.check([{ policy: 'local', key: 'k' }])).toMatchObject({ allowed: true })
  })
})

describe('what an isolate knows by itself', () => {
  it('refuses a blocked key without a round trip, until the block ends', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const store = faulty()
      const limiter = createLimiter({ store, policies })
      const ask = () => limiter.check([{ policy: 'strict', key: 'k' }])
      await ask()
      expect(await ask()).toMatchObject({ allowed: false, by: 'store' })
      const calls = store.calls.length
      expect(await ask()).toMatchObject({
        allowed: false,
        by: 'isolate',
        retryAfter: 60,
        violated: ['strict'],
      })
      expect(store.calls.length).toBe(calls)
      vi.advanceTimersByTime(61_000)
      expect(await ask()).toMatchObject({ by: 'store' })
    } finally {
      vi.useRealTimers()
    }
  })

  it('does not let a refused dear request block later cheap ones', async () => {
    const limiter = createLimiter({ store: memory(), policies })
    expect((await limiter.check([{ policy: 'dear', key: 'k', cost: 11 }])).allowed).toBe(false)
    expect((await limiter.check([{ policy: 'dear', key: 'k', cost: 10 }])).allowed).toBe(true)
  })

  it('forgets a block that is lifted', async () => {
    const limiter = createLimiter({ store: memory(), policies })
    const request = [{ policy: 'strict', key: 'k' }]
    await limiter.check(request)
    await limiter.check(request)
    expect((await limiter.check(request)).by).toBe('isolate')
    await limiter.reset(request)
    expect((await limiter.check(request)).allowed).toBe(true)
  })

  it('remembers no more keys than it is told to', async () => {
    const store = faulty()
    const limiter = createLimiter({ store, policies, maxBlocked: 2 })
    for (const key of ['a', 'b', 'c']) {
      await limiter.check([{ policy: 'strict', key }])
      await limiter.check([{ policy: 'strict', key }])
    }
    expect((await limiter.check([{ policy: 'strict', key: 'a' }])).by).toBe('store')
    expect((await limiter.check([{ policy: 'strict', key: 'c' }])).by).toBe('isolate')
  })
})

describe('keys', () => {
  it('never send an address or an account to the store in the clear, and always end', async () => {
    const redis = new EmbeddedRedis(1_790_000_000_000)
    const limiter = createLimiter({ store: upstash(redis), policies })
    const long = `account:${'x'.repeat(10_000)}@example.com`
    for (const key of ['ip:203.0.113.7', long]) {
      await limiter.check([
        { policy: 'credentials', key },
        { policy: 'dear', key },
      ])
    }
    const keys = redis.lifetimes()
    expect(keys.size).toBe(4)
    for (const [key, left] of keys) {
      expect(key).toMatch(/^bw:rl:1:(credentials:s900000|dear:s60000):[\w-]{22}$/)
      expect(left).toBeGreaterThan(0)
    }
    expect(JSON.stringify(redis.commands)).not.toMatch(/203\.0\.113|example/)
  })

  it('differ by secret', async () => {
    const keys: string[] = []
    for (const secret of ['one', 'two']) {
      const store = faulty()
      await createLimiter({ store, policies, secret }).check([{ policy: 'dear', key: 'k' }])
      keys.push(store.calls[0]?.[0]?.key ?? '')
    }
    expect(new Set(keys).size).toBe(2)
  })

  it('asked twice in one check are charged for both', async () => {
    const limiter = createLimiter({ store: memory(), policies })
    const twice = [
      { policy: 'local', key: 'k' },
      { policy: 'local', key: 'k' },
    ]
    expect((await limiter.check(twice)).outcomes).toMatchObject([{ remaining: 0 }])
    expect((await limiter.check([{ policy: 'local', key: 'k' }])).allowed).toBe(false)
  })
})

describe('createLimiter', () => {
  it.each([
    [{ quota: 0, window: '1 m' }, /quota/],
    [{ quota: 1.5, window: '1 m' }, /quota/],
    [{ quota: 1, window: '10 ms' }, /second/],
    [{ quota: 1, window: '1 fortnight' }, /duration/],
    [{ quota: 1, window: '1 m', burst: 2 }, /bucket/],
    [{ quota: 1, window: '1 m', cost: 2 }, /cost/],
    [{ quota: 1, window: '1 m', algorithm: 'leaky' }, /algorithm/],
    [{ quota: 1, window: '1 m', onStoreFailure: 'maybe' }, /onStoreFailure/],
    [{ quota: 1, window: '1 m', penalty: { after: 0 } }, /penalty/],
  ])('refuses the wrong policy %j when built', (policy, message) => {
    expect(() => createLimiter({ store: memory(), policies: { p: policy as never } })).toThrow(message)
  })

  it('refuses a name that cannot travel in a header field', () => {
    expect(() =>
      createLimiter({ store: memory(), policies: { 'a"b': { quota: 1, window: '1 m' } } }),
    ).toThrow(/name/)
  })

  it('knows every preset', () => {
    const limiter = createLimiter({ store: memory() })
    for (const name of Object.keys(presets)) expect(limiter.policy(name).name).toBe(name)
    expect(() => limiter.policy('credentals')).toThrow()
  })

  it('takes another quota for one request, by plan', async () => {
    const limiter = createLimiter({ store: memory(), policies })
    expect((await limiter.check([{ policy: 'dear', key: 'k', cost: 15, quota: 20 }])).outcomes).toMatchObject(
      [{ remaining: 5, quota: 20 }],
    )
  })

  it('gives back what a sign-in took', async () => {
    const limiter = createLimiter({ store: memory(), policies })
    const request = [{ policy: 'open', key: 'k' }]
    for (let i = 0; i < 5; i++) {
      expect((await limiter.check(request)).allowed).toBe(true)
      await limiter.refund(request)
    }
  })

  it('gives back without failing when the store is out', async () => {
    const store = { ...memory(), refund: () => Promise.reject(new Error('refused')) }
    const limiter = createLimiter({ store, policies })
    await expect(limiter.refund([{ policy: 'open', key: 'k' }])).resolves.toBeUndefined()
  })

  it('works inside a unit of work that left nothing to join', async () => {
    const limiter = createLimiter({ store: memory(), policies })
    const work = { id: 'w' } as unknown as Work
    const decision = await runWork(work, () => limiter.check([{ policy: 'dear', key: 'k' }]))
    expect(decision.outcomes.length).toBe(1)
  })
})

describe('addressNetwork', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1.2.3.256', undefined],
    ['1.2.3', undefined],
    ['::1::2', undefined],
    ['1:2:3:4:5:6:7:8:9', undefined],
    ['1:2:3:4:5:6:7', undefined],
    ['g::1', undefined],
    ['', undefined],
    ['not an address', undefined],
  ])('takes %j for %j', (address, network) => {
    expect(addressNetwork(address)).toBe(network)
  })
})
