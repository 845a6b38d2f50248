import assert from 'node:assert/strict'
import type { Policy, RateLimitStore } from 'breakwater/rate-limit'
import { chargeFor } from '../../../src/testing/rate-limit/store-contract.ts'

/** Stores as so many connections have them, and their common clock. */
export interface Connections {
  readonly stores: readonly RateLimitStore[]
  /** Requests of each of the forty waves. Default 250: ten thousand in all. */
  readonly perWave?: number
  advance(ms: number): Promise<void>
}

interface Wave {
  /** Milliseconds since the first. */
  readonly at: number
  readonly asked: number
  readonly passed: number
}

const WAVES = 40
/** Uneven, so that waves fall everywhere in a window and around its ends. */
const GAPS = [0, 1, 50, 333, 999, 1, 400, 700, 1000, 1001, 17, 250]
const WINDOW = 2000
/** Not quite three waves. */
const quotaOf = ({ perWave = 250 }: Connections): number => Math.floor(perWave * 2.8)

/** Ten thousand requests over every connection, a wave at a time, all of a wave at once. */
async function waves(
  { stores, advance, perWave = 250 }: Connections,
  policy: Policy,
  key: string,
): Promise<Wave[]> {
  const out: Wave[] = []
  let at = 0
  for (let wave = 0; wave < WAVES; wave++) {
    const asked = Array.from({ length: perWave }, async (_, i) => {
      const store = stores[i % stores.length] as RateLimitStore
      return (await store.take([chargeFor('p', policy, key)]))[0]?.allowed === true
    })
    out.push({ at, asked: perWave, passed: (await Promise.all(asked)).filter(Boolean).length })
    const gap = GAPS[wave % GAPS.length] as number
    await advance(gap)
    at += gap
  }
  return out
}

/** The most that passed in any interval of a length, ends included as `[from, from + length)`. */
function most(list: readonly Wave[], length: number): number {
  return Math.max(
    ...list.map(({ at: from }) =>
      list.reduce((sum, { at, passed }) => (at >= from && at < from + length ? sum + passed : sum), 0),
    ),
  )
}

/** What each algorithm promises, told of ten thousand requests. Each fails by rejecting. */
export const accuracy: Readonly<Record<string, (connections: Connections, key: string) => Promise<void>>> = {
  async 'a fixed window gives out its quota, to the unit, and never more within one'(connections, key) {
    const quota = quotaOf(connections)
    const list = await waves(connections, { quota, window: WINDOW, algorithm: 'fixed-window' }, key)
    let start = -WINDOW
    let left = 0
    for (const { at, asked, passed } of list) {
      if (at >= start + WINDOW) {
        start = at
        left = quota
      }
      assert.equal(passed, Math.min(asked, left), `at ${at}`)
      left -= passed
    }
    // Around the end of a window two may meet: that is what a fixed window is.
    assert(most(list, WINDOW) <= 2 * quota)
  },
  async 'a bucket gives out what it holds and what trickled in, to the unit, and never more'(
    connections,
    key,
  ) {
    const quota = quotaOf(connections)
    const burst = Math.floor(quota * 0.43)
    const policy: Policy = { quota, window: WINDOW, algorithm: 'token-bucket', burst }
    const list = await waves(connections, policy, key)
    const rate = quota / WINDOW
    let tokens = burst
    let last = 0
    for (const [i, { at, asked, passed }] of list.entries()) {
      tokens = Math.min(burst, tokens + (at - last) * rate)
      last = at
      // A microsecond's worth of rounding for each unit.
      const exact = Math.min(asked, tokens)
      assert(passed <= exact + 0.5 && passed >= exact - 1.5, `at ${at}: ${passed} of ${exact}`)
      tokens -= passed
      let sum = 0
      for (const earlier of list.slice(0, i + 1).reverse()) {
        sum += earlier.passed
        assert(sum <= burst + (at - earlier.at) * rate + 1, `from ${earlier.at} to ${at}: ${sum}`)
      }
    }
  },
  async 'a sliding window is what its two counters say, and never as much as two quotas in any window'(
    connections,
    key,
  ) {
    const quota = quotaOf(connections)
    const list = await waves(connections, { quota, window: WINDOW }, key)
    assert(most(list, WINDOW) < 2 * quota, `${most(list, WINDOW)}`)
    assert(most(list, 1) <= quota)
    // In any part of a window, no more than one quota and that part of another.
    for (const length of [100, 400, 1000, 1500]) {
      assert(most(list, length) <= quota + Math.ceil((quota * length) / WINDOW), `in ${length} ms`)
    }
    // And nobody is starved: whoever asks again and again gets most of the quota, on the average.
    const passed = list.reduce((sum, wave) => sum + wave.passed, 0)
    const windows = (list.at(-1)?.at ?? 0) / WINDOW
    assert(passed >= quota * windows * 0.7, `${passed} in ${windows} windows`)
  },
  async 'never more are in flight than there are slots'({ stores, advance, perWave = 250 }, key) {
    const slots = Math.floor(perWave * 0.4)
    const policy: Policy = { quota: slots, window: 5000, algorithm: 'concurrency' }
    let held: number[] = []
    let lease = 1
    for (let wave = 0; wave < WAVES; wave++) {
      const asked = Array.from({ length: perWave }, async (_, i) => {
        const id = lease++
        const store = stores[i % stores.length] as RateLimitStore
        return (await store.take([chargeFor('p', policy, key, 1, id)]))[0]?.allowed ? id : undefined
      })
      const free = slots - held.length
      const got = (await Promise.all(asked)).filter((id) => id !== undefined)
      assert.equal(got.length, free)
      held.push(...got)
      const giving = held.filter((_, i) => (i * 7 + wave) % 3 === 0)
      held = held.filter((id) => !giving.includes(id))
      const store = stores[wave % stores.length] as RateLimitStore
      await Promise.all(giving.map((id) => store.refund([chargeFor('p', policy, key, 1, id)])))
      if (wave % 10 === 9) {
        // Whoever holds one and never comes back.
        await advance(5001)
        held = []
      }
    }
  },
}
