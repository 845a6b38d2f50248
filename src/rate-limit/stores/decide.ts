import { charge as apply, block, fresh, lifetime, propose, type State } from '../algorithm.ts'
import type { Charge, Outcome } from './store.ts'

/** What a store is asked for. */
export type Mode = 'take' | 'peek' | 'refund' | 'block'

/** Where a store that decides in JavaScript keeps its states. Synchronous, so that a decision is atomic. */
export interface Shelf {
  /** A copy of a key's state; undefined when there is none, or none that still means anything. */
  load(key: string, us: number): State | undefined
  /** Keeps a state until a time in milliseconds since the epoch. */
  save(key: string, state: State, expires: number): void
}

/**
 * What the Lua script does, for stores that are not Redis: all charges together or none.
 * @param us microseconds since the epoch, by the store's clock.
 * @param ms how long to block (mode `block`).
 */
export function decide(
  mode: Mode,
  charges: readonly Charge[],
  us: number,
  shelf: Shelf,
  ms: number = 0,
): Outcome[] {
  const save = (charge: Charge, state: State) =>
    shelf.save(charge.key, state, Math.floor(us / 1000) + lifetime(state, charge, us))
  const plans = charges.map((charge) => {
    const known = shelf.load(charge.key, us)
    const state = known ?? fresh()
    return { charge, known, state, proposal: propose(state, charge, us, mode === 'take') }
  })
  const refused = plans.some(({ charge, proposal }) => !proposal.allowed && !charge.policy.shadow)
  return plans.map(({ charge, known, state, proposal }) => {
    const { allowed, retry, block: blocked, penalized } = proposal
    let { remaining, reset } = proposal
    if (mode === 'block') {
      block(state, ms, us)
      save(charge, state)
    } else if (mode === 'refund') {
      if (known !== undefined) {
        apply(state, charge, -charge.cost, us)
        save(charge, state)
      }
    } else if (mode === 'take' && allowed && !refused) {
      apply(state, charge, charge.cost, us)
      save(charge, state)
      remaining -= charge.cost
      if (charge.policy.algorithm === 'token-bucket') reset = Math.ceil((state.at - us) / 1000)
    } else if (proposal.noted) save(charge, state)
    return { allowed, remaining, reset, retry, block: blocked, penalized }
  })
}
