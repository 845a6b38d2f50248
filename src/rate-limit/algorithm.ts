import type { Charge, Outcome } from './stores/store.ts'

/**
 * The rules themselves, pure. `script.ts` says the same in Lua; a property test holds the two together, so a
 * change here is a change there.
 */

/** A key's state: seven integers, in the order in which a store writes them, and the leases behind them. */
export interface State {
  /** Start of the window (ms), or for a token bucket the time (µs) at which it is full again. */
  at: number
  /** Spent in this window. */
  spent: number
  /** Spent in the window before (sliding only). */
  before: number
  /** Violations since the last block. */
  violations: number
  /** How often the key was blocked, less what has decayed. */
  strikes: number
  /** End of the block (ms). */
  until: number
  /** Where decay is counted from (ms). */
  since: number
  /** Slots in use (concurrency only): each lease's number and its end (ms). Replaced, never changed in place. */
  leases: readonly (readonly [id: number, until: number])[]
}

/** The state of a key never seen. */
export function fresh(): State {
  return { at: 0, spent: 0, before: 0, violations: 0, strikes: 0, until: 0, since: 0, leases: [] }
}

interface Reading {
  free: number
  reset: number
  /** Milliseconds until `cost` units can be had. */
  wait(cost: number): number
}

function readFixed(s: State, charge: Charge, now: number): Reading {
  const { window } = charge.policy
  if (now >= s.at + window) {
    s.at = now
    s.spent = 0
  }
  const reset = s.at + window - now
  return { free: Math.max(0, charge.quota - s.spent), reset, wait: () => reset }
}

function readSliding(s: State, charge: Charge, now: number): Reading {
  const { window } = charge.policy
  const { quota } = charge
  // A store's clock that steps back stays in the window it was in.
  const start = Math.max(s.at, Math.floor(now / window) * window)
  if (start !== s.at) {
    s.before = start === s.at + window ? s.spent : 0
    s.spent = 0
    s.at = start
  }
  const elapsed = Math.max(0, now - start)
  const used = s.spent + Math.floor((s.before * (window - elapsed)) / window)
  return {
    free: Math.max(0, quota - used),
    reset: window - elapsed,
    wait(cost) {
      // The first moment at which the weighted share of the older window leaves room for `cost`: in this
      // window while `before` fades, else in the next while `spent` does.
      const room = quota - s.spent - cost
      if (room >= 0) return Math.max(1, Math.floor((window * (s.before - room - 1)) / s.before) + 1 - elapsed)
      const later = Math.max(0, quota - cost)
      const fading = Math.max(1, s.spent)
      return window - elapsed + Math.max(0, Math.floor((window * (fading - later - 1)) / fading)) + 1
    },
  }
}

function readBucket(s: State, charge: Charge, us: number): Reading {
  const perWindow = charge.policy.window * 1000
  const { quota, burst } = charge
  s.at = Math.max(s.at, us)
  const debt = s.at - us
  const room = Math.floor((burst * perWindow) / quota) - debt
  return {
    // The most whose price in microseconds, rounded down as it is when charged, fits the room.
    free: Math.max(0, Math.ceil(((room + 1) * quota) / perWindow) - 1),
    reset: Math.ceil(debt / 1000),
    wait: (cost) => Math.max(1, Math.ceil((Math.floor((cost * perWindow) / quota) - room) / 1000)),
  }
}

/** When to ask again for a slot. Nobody knows when one comes free; to wait for the leases' ends would be too long. */
const SLOT_WAIT = 1000

function readSlots(s: State, charge: Charge, now: number): Reading {
  s.leases = s.leases.filter(([, until]) => until > now)
  return { free: Math.max(0, charge.quota - s.leases.length), reset: 0, wait: () => SLOT_WAIT }
}

function read(s: State, charge: Charge, us: number): Reading {
  if (charge.policy.algorithm === 'token-bucket') return readBucket(s, charge, us)
  const now = Math.floor(us / 1000)
  if (charge.policy.algorithm === 'concurrency') return readSlots(s, charge, now)
  return charge.policy.algorithm === 'fixed-window' ? readFixed(s, charge, now) : readSliding(s, charge, now)
}

/** What one charge would mean: the outcome when not charged, and how to charge it. */
export interface Proposal extends Outcome {
  /** Whether the state changed by the asking alone: a violation was noted. */
  readonly noted: boolean
}

/**
 * Asks whether `s` (brought up to date in place) can bear a charge.
 * @param note whether a refusal counts as a violation.
 */
export function propose(s: State, charge: Charge, us: number, note: boolean): Proposal {
  const { policy, cost } = charge
  const now = Math.floor(us / 1000)
  if (s.strikes > 0 || s.violations > 0) {
    const base = Math.max(s.until, s.since)
    const steps = Math.floor((now - base) / policy.penaltyDecay)
    if (steps > 0) {
      s.strikes = Math.max(0, s.strikes - steps)
      s.violations = 0
      s.since = base + steps * policy.penaltyDecay
    }
  }
  const { free, reset, wait } = read(s, charge, us)
  const said = (
    allowed: boolean,
    remaining: number,
    reset: number,
    block: number,
    penalized = false,
    noted = false,
  ) => ({
    allowed,
    remaining,
    reset,
    retry: allowed ? 0 : reset,
    block,
    penalized,
    noted,
  })
  const blocked = s.until - now
  if (blocked > 0) return said(false, 0, blocked, blocked, true)
  if (cost <= free) return said(true, free, reset, 0)
  const retry = wait(cost)
  if (!note || policy.penaltyAfter === 0) {
    // A slot may come free at any moment, so nothing is known of the time until then.
    return said(false, free, retry, free < 1 && policy.algorithm !== 'concurrency' ? wait(1) : 0)
  }
  s.violations += 1
  s.since = now
  if (s.violations < policy.penaltyAfter) return said(false, free, retry, 0, false, true)
  s.violations = 0
  s.strikes = Math.min(30, s.strikes + 1)
  const length = Math.min(policy.penaltyCeiling, policy.window * 2 ** (s.strikes - 1))
  s.until = now + length
  return said(false, free, Math.max(retry, length), length, true, true)
}

/** Adds a charge to a state that {@link propose} has brought up to date; a negative cost gives back. */
export function charge(s: State, { policy, quota, lease = 0 }: Charge, cost: number, us: number): void {
  if (policy.algorithm === 'token-bucket') {
    const amount = Math.floor((Math.abs(cost) * policy.window * 1000) / quota)
    s.at = Math.max(us, cost < 0 ? s.at - amount : s.at + amount)
  } else if (policy.algorithm !== 'concurrency') {
    s.spent = Math.max(0, s.spent + cost)
  } else if (cost < 0) {
    s.leases = s.leases.filter(([id]) => id !== lease)
  } else {
    const taken = [lease, Math.floor(us / 1000) + policy.window] as const
    s.leases = [...s.leases, ...new Array<typeof taken>(cost).fill(taken)]
  }
}

/** Blocks a key by hand for so many milliseconds; 0 ends its block and forgives what led to it. */
export function block(s: State, ms: number, us: number): void {
  s.until = Math.floor(us / 1000) + ms
  if (ms > 0) return
  s.strikes = 0
  s.violations = 0
}

/** Milliseconds for which a state means anything. Never zero. */
export function lifetime(s: State, { policy }: Charge, us: number): number {
  const now = Math.floor(us / 1000)
  const { algorithm, window, penaltyDecay } = policy
  let end = s.until
  if (algorithm === 'token-bucket') end = Math.max(end, Math.ceil(s.at / 1000))
  else if (algorithm === 'concurrency') for (const [, until] of s.leases) end = Math.max(end, until)
  else end = Math.max(end, s.at + (algorithm === 'fixed-window' ? 1 : 2) * window)
  if (s.strikes > 0) end = Math.max(end, Math.max(s.until, s.since) + penaltyDecay * s.strikes)
  else if (s.violations > 0) end = Math.max(end, s.since + penaltyDecay)
  return Math.max(1, end - now)
}
