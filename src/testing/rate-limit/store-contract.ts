import assert from 'node:assert/strict'
import { compilePolicy, type Policy } from '../../rate-limit/policy.ts'
import type { Charge, Outcome, RateLimitStore } from '../../rate-limit/stores/store.ts'

/** A rate limit store under test, and the way to let its clock run. */
export interface StoreUnderTest {
  readonly store: RateLimitStore
  /** Lets at least this many milliseconds pass on the store's clock. */
  advance(ms: number): Promise<void>
}

/** One thing that a contract asks; fails by rejecting. */
export interface ContractCase {
  /** A sentence, for the name of a test. */
  readonly name: string
  run(): Promise<void>
}

let serial = 0
/** A key that no earlier run has used. */
const fresh = (): string => `${Date.now().toString(36)}-${serial++}`

/**
 * A charge as a limiter would make it.
 * @param key the store's full key, behind `contract:`.
 */
export function chargeFor(
  name: string,
  policy: Policy,
  key: string,
  cost: number = 1,
  lease?: number,
): Charge {
  const compiled = compilePolicy(name, policy)
  return {
    policy: compiled,
    key: `contract:${key}`,
    cost,
    quota: compiled.quota,
    burst: compiled.burst,
    ...(lease !== undefined && { lease }),
  }
}

const one = (outcomes: readonly Outcome[]): Outcome => {
  assert.equal(outcomes.length, 1, 'one outcome for each charge')
  return outcomes[0] as Outcome
}
const three: Policy = { quota: 3, window: '30 s', algorithm: 'fixed-window' }
const slots: Policy = { quota: 2, window: '5 s', algorithm: 'concurrency' }

type Run = (subject: StoreUnderTest) => Promise<void>

const CASES: Readonly<Record<string, Run>> = {
  async 'lets the quota through and refuses the rest, saying when to come back'({ store }) {
    const charge = chargeFor('p', three, fresh())
    const left: number[] = []
    for (let i = 0; i < 3; i++) left.push(one(await store.take([charge])).remaining)
    assert.deepEqual(left, [2, 1, 0])
    const refused = one(await store.take([charge]))
    assert.deepEqual([refused.allowed, refused.remaining, refused.penalized], [false, 0, false])
    assert(refused.retry > 25_000 && refused.retry <= 30_000, `retry ${refused.retry}`)
    assert.equal(refused.block, refused.retry)
  },
  async 'forgets a fixed window when it ends'({ store, advance }) {
    const charge = chargeFor('p', { ...three, window: '2 s' }, fresh(), 3)
    assert(one(await store.take([charge])).allowed)
    const refused = one(await store.take([charge]))
    assert(!refused.allowed)
    await advance(refused.retry + 5)
    assert(one(await store.take([charge])).allowed)
  },
  async 'lets a sliding window fade'({ store, advance }) {
    const charge = chargeFor('p', { quota: 10, window: '2 s' }, fresh(), 10)
    assert(one(await store.take([charge])).allowed)
    const refused = one(await store.take([{ ...charge, cost: 1 }]))
    assert(!refused.allowed && refused.retry < 4000, `retry ${refused.retry}`)
    await advance(refused.retry + 5)
    assert(one(await store.take([{ ...charge, cost: 1 }])).allowed)
  },
  async 'gives a token back with time'({ store, advance }) {
    const charge = chargeFor('p', { quota: 5, window: '10 s', algorithm: 'token-bucket', burst: 2 }, fresh())
    await store.take([charge])
    await store.take([charge])
    const refused = one(await store.take([charge]))
    assert(!refused.allowed && refused.retry <= 2000, `retry ${refused.retry}`)
    await advance(refused.retry + 5)
    assert(one(await store.take([charge])).allowed)
  },
  async 'takes nothing from any policy when one of them refuses'({ store }) {
    const key = fresh()
    const wide = chargeFor('wide', { quota: 10, window: '30 s', algorithm: 'token-bucket' }, `${key}w`)
    const narrow = chargeFor('narrow', { ...three, quota: 1 }, `${key}n`)
    const allowed = (outcomes: readonly Outcome[]) => outcomes.map((outcome) => outcome.allowed)
    assert.deepEqual(allowed(await store.take([wide, narrow])), [true, true])
    const both = await store.take([wide, narrow])
    assert.deepEqual(allowed(both), [true, false])
    assert.equal(both[0]?.remaining, 9)
    assert.equal(one(await store.peek([wide])).remaining, 9)
  },
  async 'never consumes on a refusal, so a cheap request passes after a dear one was refused'({ store }) {
    const key = fresh()
    const policy: Policy = { quota: 5, window: '30 s' }
    const refused = one(await store.take([chargeFor('p', policy, key, 9)]))
    assert.deepEqual([refused.allowed, refused.block], [false, 0])
    const passed = one(await store.take([chargeFor('p', policy, key, 5)]))
    assert.deepEqual([passed.allowed, passed.remaining], [true, 0])
  },
  async 'does not lose or invent a unit when many ask at once'({ store }) {
    const charge = chargeFor('p', { ...three, quota: 10 }, fresh())
    const all = await Promise.all(Array.from({ length: 40 }, () => store.take([charge])))
    assert.equal(all.filter(([outcome]) => outcome?.allowed).length, 10)
  },
  async 'keeps keys apart'({ store }) {
    const key = fresh()
    for (const name of ['a', 'b', 'c']) {
      assert.equal(one(await store.take([chargeFor('p', three, key + name)])).remaining, 2)
    }
  },
  async 'gives back what was taken, and no more than that'({ store }) {
    const charge = chargeFor('p', three, fresh(), 2)
    await store.refund([charge])
    await store.take([charge])
    await store.refund([charge])
    await store.refund([charge])
    assert.equal(one(await store.peek([charge])).remaining, 3)
  },
  async 'asks without charging and without counting a violation'({ store }) {
    const policy: Policy = { ...three, quota: 1, penalty: { after: 1 } }
    const charge = chargeFor('p', policy, fresh())
    for (let i = 0; i < 3; i++) assert(one(await store.peek([charge])).allowed)
    await store.take([charge])
    for (let i = 0; i < 3; i++) {
      const said = one(await store.peek([charge]))
      assert.deepEqual([said.allowed, said.penalized], [false, false])
    }
  },
  async 'blocks a key that keeps violating for one window, then two, and lets a reset lift it'(subject) {
    const { store, advance } = subject
    const penalty = { after: 2, ceiling: '10 s', decay: '20 s' } as const
    const charge = chargeFor('p', { ...three, window: '2 s', penalty }, fresh(), 3)
    await store.take([charge])
    const early = one(await store.take([charge]))
    assert.deepEqual([early.allowed, early.penalized, early.block], [false, false, 0])
    const first = one(await store.take([charge]))
    assert.deepEqual([first.allowed, first.penalized, first.block], [false, true, 2000])
    // A block does not grow by asking during it.
    assert(one(await store.take([charge])).block <= 2000)
    await advance(2005)
    assert(one(await store.take([charge])).allowed)
    await store.take([charge])
    const second = one(await store.take([charge]))
    assert.deepEqual([second.penalized, second.block], [true, 4000])
    await store.reset([charge])
    const after = one(await store.take([charge]))
    assert.deepEqual([after.allowed, after.penalized], [true, false])
  },
  async 'counts a shadow policy without letting it refuse for others'({ store }) {
    const key = fresh()
    const shadow = chargeFor('shadow', { quota: 1, window: '30 s', shadow: true }, `${key}s`)
    const real = chargeFor('real', { quota: 5, window: '30 s' }, `${key}r`)
    await store.take([shadow, real])
    const [shadowed, passed] = await store.take([shadow, real])
    assert.deepEqual([shadowed?.allowed, passed?.allowed, passed?.remaining], [false, true, 3])
  },
  async 'lets so many in flight, and the next when one is given back'({ store }) {
    const key = fresh()
    const slot = (lease: number) => chargeFor('slots', slots, key, 1, lease)
    assert.equal(one(await store.take([slot(11)])).remaining, 1)
    assert.equal(one(await store.take([slot(12)])).remaining, 0)
    const refused = one(await store.take([slot(13)]))
    // Nobody knows when a slot comes free, so nobody may remember that there is none.
    assert.deepEqual([refused.allowed, refused.block], [false, 0])
    // What was never taken cannot be given back.
    await store.refund([slot(13)])
    assert(!one(await store.take([slot(14)])).allowed)
    await store.refund([slot(11)])
    await store.refund([slot(11)])
    assert.equal(one(await store.take([slot(15)])).remaining, 0)
  },
  async 'frees the slots of whoever never came back'({ store, advance }) {
    const key = fresh()
    const slot = (lease: number, cost = 1) => chargeFor('slots', slots, key, cost, lease)
    assert(one(await store.take([slot(21, 2)])).allowed)
    await advance(3000)
    assert(!one(await store.take([slot(22)])).allowed)
    await advance(2005)
    assert.equal(one(await store.take([slot(23)])).remaining, 1)
  },
  async 'takes no slot when another policy refuses, and no unit when there is no slot'({ store }) {
    const key = fresh()
    const none = chargeFor('none', { ...three, quota: 1 }, `${key}n`)
    const wide = chargeFor('wide', three, `${key}w`)
    const slot = (lease: number) => chargeFor('slots', slots, `${key}s`, 1, lease)
    await store.take([none])
    await store.take([none, slot(31)])
    assert.equal(one(await store.peek([slot(32)])).remaining, 2)
    await store.take([slot(33)])
    await store.take([slot(34)])
    await store.take([wide, slot(35)])
    assert.equal(one(await store.peek([wide])).remaining, 3)
  },
  async 'blocks by hand and unblocks, and leaves the quota alone'({ store, advance }) {
    const charge = chargeFor('p', three, fresh())
    await store.take([charge])
    await store.block([charge], 4000)
    const blocked = one(await store.take([charge]))
    assert.deepEqual([blocked.allowed, blocked.penalized], [false, true])
    assert(blocked.block > 3000 && blocked.block <= 4000, `block ${blocked.block}`)
    await store.block([charge], 0)
    assert.equal(one(await store.take([charge])).remaining, 1)
    await store.block([charge], 1000)
    await advance(1005)
    assert.equal(one(await store.take([charge])).remaining, 0)
  },
}

/**
 * What every rate limit store must do, as cases for any test runner. Each case makes its own keys, so that all may
 * run against one server, and against a real clock: no window is longer than it takes (`advance` may sleep).
 *
 * @example for (const { name, run } of rateLimitStoreContract(make)) it(name, run)
 * @param make a store; called for each case.
 */
export function rateLimitStoreContract(make: () => Promise<StoreUnderTest>): readonly ContractCase[] {
  return Object.entries(CASES).map(([name, run]) => ({ name, run: async () => run(await make()) }))
}
