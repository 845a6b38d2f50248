import type { Charge, RateLimitStore } from 'breakwater/rate-limit'
import { expect, it } from 'vitest'
import { compilePolicy, type Policy } from '../../../src/rate-limit/policy.ts'

/** A store under test, and the way to let its clock run. */
export interface StoreUnderTest {
  store: RateLimitStore
  /** Lets at least this many milliseconds pass on the store's clock. */
  advance(ms: number): Promise<void>
}

let serial = 0

/** A charge against a policy; the key is the store's full key. */
export function chargeFor(name: string, policy: Policy, key: string, cost = 1): Charge {
  const compiled = compilePolicy(name, policy)
  return { policy: compiled, key: `contract:${key}`, cost, quota: compiled.quota, burst: compiled.burst }
}

/** What every store must do. Windows are a second, so that it can run against a real clock. */
export function rateLimitStoreContract(make: () => Promise<StoreUnderTest>): void {
  const fresh = () => `${Date.now().toString(36)}-${serial++}`
  const three: Policy = { quota: 3, window: '1 s', algorithm: 'fixed-window' }

  it('lets the quota through and refuses the rest, saying when to come back', async () => {
    const { store } = await make()
    const charge = chargeFor('p', { ...three, window: '30 s' }, fresh())
    const left: number[] = []
    for (let i = 0; i < 3; i++) left.push((await store.take([charge]))[0]?.remaining ?? -1)
    expect(left).toEqual([2, 1, 0])
    const [refused] = await store.take([charge])
    expect(refused).toMatchObject({ allowed: false, remaining: 0, penalized: false })
    expect(refused?.retry).toBeGreaterThan(25_000)
    expect(refused?.retry).toBeLessThanOrEqual(30_000)
    expect(refused?.block).toBe(refused?.retry)
  })

  it('forgets a fixed window when it ends', async () => {
    const { store, advance } = await make()
    const charge = chargeFor('p', three, fresh(), 3)
    expect((await store.take([charge]))[0]?.allowed).toBe(true)
    const [refused] = await store.take([charge])
    expect(refused?.allowed).toBe(false)
    await advance((refused?.retry ?? 0) + 5)
    expect((await store.take([charge]))[0]?.allowed).toBe(true)
  })

  it('gives a token back with time', async () => {
    const { store, advance } = await make()
    const charge = chargeFor('p', { quota: 5, window: '1 s', algorithm: 'token-bucket', burst: 2 }, fresh())
    await store.take([charge])
    await store.take([charge])
    const [refused] = await store.take([charge])
    expect(refused?.allowed).toBe(false)
    expect(refused?.retry).toBeLessThanOrEqual(200)
    await advance((refused?.retry ?? 0) + 5)
    expect((await store.take([charge]))[0]?.allowed).toBe(true)
  })

  it('takes nothing from any policy when one of them refuses', async () => {
    const { store } = await make()
    const key = fresh()
    const wide = chargeFor('wide', { quota: 10, window: '30 s', algorithm: 'token-bucket' }, `${key}w`)
    const narrow = chargeFor('narrow', { quota: 1, window: '30 s', algorithm: 'fixed-window' }, `${key}n`)
    expect((await store.take([wide, narrow])).map((o) => o.allowed)).toEqual([true, true])
    const both = await store.take([wide, narrow])
    expect(both.map((o) => o.allowed)).toEqual([true, false])
    expect(both[0]?.remaining).toBe(9)
    expect((await store.peek([wide]))[0]?.remaining).toBe(9)
  })

  it('never consumes on a refusal, so a cheap request still passes after a dear one was refused', async () => {
    const { store } = await make()
    const key = fresh()
    const policy: Policy = { quota: 5, window: '30 s' }
    expect((await store.take([chargeFor('p', policy, key, 9)]))[0]).toMatchObject({
      allowed: false,
      block: 0,
    })
    expect((await store.take([chargeFor('p', policy, key, 5)]))[0]).toMatchObject({
      allowed: true,
      remaining: 0,
    })
  })

  it('does not lose or invent a unit when many ask at once', async () => {
    const { store } = await make()
    const charge = chargeFor('p', { quota: 10, window: '30 s', algorithm: 'fixed-window' }, fresh())
    const all = await Promise.all(Array.from({ length: 40 }, () => store.take([charge])))
    expect(all.filter(([o]) => o?.allowed).length).toBe(10)
  })

  it('gives back what was taken, and no more than that', async () => {
    const { store } = await make()
    const charge = chargeFor('p', { ...three, window: '30 s' }, fresh(), 2)
    await store.refund([charge])
    await store.take([charge])
    await store.refund([charge])
    await store.refund([charge])
    expect((await store.peek([charge]))[0]?.remaining).toBe(3)
  })

  it('blocks a key that keeps violating for one window, then two, and lets a reset lift it', async () => {
    const { store, advance } = await make()
    const policy: Policy = { ...three, penalty: { after: 2, ceiling: '10 s', decay: '20 s' } }
    const charge = chargeFor('p', policy, fresh(), 3)
    await store.take([charge])
    expect((await store.take([charge]))[0]).toMatchObject({ allowed: false, penalized: false, block: 0 })
    const [first] = await store.take([charge])
    expect(first).toMatchObject({ allowed: false, penalized: true, block: 1000 })
    // A block does not grow by asking during it.
    expect((await store.take([charge]))[0]?.block).toBeLessThanOrEqual(1000)
    await advance(1005)
    expect((await store.take([charge]))[0]?.allowed).toBe(true)
    await store.take([charge])
    expect((await store.take([charge]))[0]).toMatchObject({ penalized: true, block: 2000 })
    await store.reset([charge])
    expect((await store.take([charge]))[0]).toMatchObject({ allowed: true, penalized: false })
  })

  it('counts a shadow policy without letting it refuse for others', async () => {
    const { store } = await make()
    const key = fresh()
    const shadow = chargeFor('s', { quota: 1, window: '30 s', shadow: true }, `${key}s`)
    const real = chargeFor('r', { quota: 9, window: '30 s' }, `${key}r`)
    await store.take([shadow, real])
    const [s, r] = await store.take([shadow, real])
    expect(s?.allowed).toBe(false)
    expect(r).toMatchObject({ allowed: true, remaining: 7 })
  })
}
