import type { Work } from '../core/index.ts'
import { slot } from '../core/slot.ts'
import type { Decision, RateLimitRequest } from './decision.ts'
import type { RateLimiter } from './limiter.ts'

/** Charges that wait. */
export interface Waiting {
  readonly limiter: RateLimiter
  readonly requests: readonly RateLimitRequest[]
  /** Told what was decided in the end. */
  readonly decided: (decision: Decision) => void
}

// With the unit of work, so that nothing outlives its request.
const waiting = slot<Work, Waiting>('rate-limit.waiting')

/**
 * Charges that wait for the next check of the same unit of work, to be decided together with it in one round trip.
 */
export const joined = {
  /** Leaves charges for the next check. */
  leave(work: Work, waits: Waiting): void {
    waiting.set(work, waits)
  },
  /** Takes what waits for this limiter, once. */
  take(work: Work, limiter: RateLimiter): Waiting | undefined {
    const found = waiting.get(work)
    if (found?.limiter !== limiter) return undefined
    waiting.set(work, undefined)
    return found
  },
}
