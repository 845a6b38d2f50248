import { charge as apply, fresh, lifetime, propose, type State } from '../algorithm.ts'
import { units } from '../policy.ts'
import type { Charge, Outcome, RateLimitStore } from './store.ts'

/** Options of {@link memory}. */
export interface MemoryOptions {
  /** Keys kept at most; the longest untouched go first. Default 10,000 (some 2 MB). */
  readonly maxKeys?: number
  /** The clock, in milliseconds since the epoch; fractions count. Default `Date.now`. */
  readonly now?: () => number
}

interface Entry {
  readonly state: State
  /** Milliseconds since the epoch. */
  readonly expires: number
}

/**
 * Counts in this isolate's memory: no round trip, and no limit shared between isolates. For tests, for
 * development, for single processes, and as what a policy falls back to when its store is out.
 */
export function memory(options: MemoryOptions = {}): RateLimitStore {
  const maxKeys = units('maxKeys', options.maxKeys ?? 10_000)
  const clock = options.now ?? Date.now
  const entries = new Map<string, Entry>()

  function load(key: string, us: number): State | undefined {
    const entry = entries.get(key)
    return entry !== undefined && entry.expires > us / 1000 ? { ...entry.state } : undefined
  }

  function save(charge: Charge, state: State, us: number): void {
    // Deleting first moves the key to the end of the map's order, which makes the order one of last use.
    entries.delete(charge.key)
    entries.set(charge.key, { state, expires: Math.floor(us / 1000) + lifetime(state, charge, us) })
    if (entries.size > maxKeys) {
      const oldest = entries.keys().next()
      if (oldest.done !== true) entries.delete(oldest.value)
    }
  }

  function decide(charges: readonly Charge[], commit: boolean): Outcome[] {
    const us = Math.floor(clock() * 1000)
    const plans = charges.map((charge) => {
      const state = load(charge.key, us) ?? fresh()
      return { charge, state, proposal: propose(state, charge, us, commit) }
    })
    const refused = plans.some(({ charge, proposal }) => !proposal.allowed && !charge.policy.shadow)
    return plans.map(({ charge, state, proposal }) => {
      const { noted, ...outcome } = proposal
      if (commit && proposal.allowed && !refused) {
        apply(state, charge, charge.cost, us)
        save(charge, state, us)
        const reset =
          charge.policy.algorithm === 'token-bucket' ? Math.ceil((state.at - us) / 1000) : outcome.reset
        return { ...outcome, remaining: outcome.remaining - charge.cost, reset }
      }
      if (noted) save(charge, state, us)
      return outcome
    })
  }

  return {
    name: 'memory',
    async take(charges) {
      return decide(charges, true)
    },
    async peek(charges) {
      return decide(charges, false)
    },
    async refund(charges) {
      const us = Math.floor(clock() * 1000)
      for (const charge of charges) {
        const state = load(charge.key, us)
        if (state === undefined) continue
        propose(state, charge, us, false)
        apply(state, charge, -charge.cost, us)
        save(charge, state, us)
      }
    },
    async reset(charges) {
      for (const { key } of charges) entries.delete(key)
    },
  }
}
