/// <reference types="@cloudflare/vitest-plugin/types" />
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { createLimiter, memory } from 'breakwater/rate-limit'
import { binding, durableObject } from 'breakwater/rate-limit/cloudflare'
import { chargeFor, rateLimitStoreContract } from 'breakwater/testing/rate-limit'
import { describe, expect, it } from 'vitest'
import { accuracy } from '../../unit/rate-limit/accuracy.ts'
import type { ClockedRateLimitObject } from '../harness.ts'

interface Bindings {
  readonly RATE_LIMITS: DurableObjectNamespace<ClockedRateLimitObject>
  readonly NATIVE_LIMITER: RateLimit
  readonly SMALL_LIMITER: RateLimit
}
const { RATE_LIMITS, NATIVE_LIMITER, SMALL_LIMITER } = env as unknown as Bindings

const policy = { quota: 5, window: '1 m' } as const

describe('in a Durable Object', () => {
  for (const { name, run } of rateLimitStoreContract(async () => ({
    store: durableObject(RATE_LIMITS),
    advance: (ms) => RATE_LIMITS.getByName('rate-limit').advance(ms),
  }))) {
    it(name, run)
  }

  describe('six hundred requests, many at once', () => {
    for (const [name, run] of Object.entries(accuracy)) {
      it(name, async () => {
        await RATE_LIMITS.getByName('accuracy').advance(0)
        await run(
          {
            // Each asks by a stub of its own.
            stores: [durableObject(RATE_LIMITS, { shard: () => 'accuracy' })],
            perWave: 15,
            advance: (ms) => RATE_LIMITS.getByName('accuracy').advance(ms),
          },
          name,
        )
      }, 30_000)
    }
  })

  it('keeps its counts when the object is put away', async () => {
    const store = durableObject(RATE_LIMITS, { shard: () => 'kept' })
    const charge = chargeFor('p', policy, 'kept')
    await store.take([charge])
    await runInDurableObject(RATE_LIMITS.getByName('kept'), (_, state) => state.abort('put away')).catch(
      () => {},
    )
    expect((await store.take([charge]))[0]?.remaining).toBe(3)
  })

  it('sweeps what has ended, and keeps what has not', async () => {
    const object = RATE_LIMITS.getByName('swept')
    const store = durableObject(RATE_LIMITS, { shard: () => 'swept' })
    await store.take([chargeFor('short', { quota: 5, window: '1 s' }, 'short')])
    await store.take([chargeFor('long', { quota: 5, window: '1 h' }, 'long')])
    expect(await object.size()).toBe(2)
    await object.advance(5000)
    expect(await runDurableObjectAlarm(object)).toBe(true)
    expect(await object.size()).toBe(1)
    await object.advance(3 * 3_600_000)
    expect(await runDurableObjectAlarm(object)).toBe(true)
    expect(await object.size()).toBe(0)
    // Nothing is left to come back for.
    expect(await runDurableObjectAlarm(object)).toBe(false)
  })

  it('takes policies whose keys are functions', async () => {
    const limiter = createLimiter({
      store: durableObject(RATE_LIMITS, { shard: () => 'functions' }),
      policies: { mine: { ...policy, key: () => 'k' } },
      timeout: 5000,
    })
    expect(await limiter.check([{ policy: 'mine', key: 'k' }])).toMatchObject({ by: 'store', allowed: true })
  })
})

describe('by the rate limiting binding', () => {
  for (const { name, run } of rateLimitStoreContract(async () => ({
    // Every policy of the contract has the same one, whose quota is far above theirs.
    store: binding({
      p: NATIVE_LIMITER,
      wide: NATIVE_LIMITER,
      narrow: NATIVE_LIMITER,
      slots: NATIVE_LIMITER,
    }),
    advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  }))) {
    it.concurrent(name, run, 20_000)
  }

  it('holds isolates together that know nothing of each other', async () => {
    const charge = chargeFor('small', { quota: 5, window: '10 s' }, `isolates-${Date.now()}`)
    let passed = 0
    for (let i = 0; i < 6; i++) {
      // A new store has a new memory, as a new isolate has.
      const store = binding({ small: SMALL_LIMITER })
      for (let n = 0; n < 2; n++) if ((await store.take([charge]))[0]?.allowed) passed++
    }
    expect(passed).toBe(5)
  })

  it('counts policies that have no binding elsewhere, and charges neither when one refuses', async () => {
    const elsewhere = memory()
    const store = binding({ p: NATIVE_LIMITER }, { otherwise: elsewhere })
    const native = chargeFor('p', policy, `native-${Date.now()}`)
    const other = chargeFor('other', { quota: 1, window: '1 m' }, 'other')
    expect((await store.take([other, native])).map(({ remaining }) => remaining)).toEqual([0, 4])
    expect((await elsewhere.peek([other]))[0]?.allowed).toBe(false)
    expect((await store.take([other, native])).map(({ allowed }) => allowed)).toEqual([false, true])
    expect((await store.peek([native]))[0]?.remaining).toBe(4)
  })
})
