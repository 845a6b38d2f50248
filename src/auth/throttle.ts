import type { Limiter, LimitRequest } from '../core/index.ts'
import { quotaExceeded } from './errors.ts'

/** Asks the limiter, if there is one. */
export interface Throttle {
  /** @throws BreakwaterError `quota-exceeded` */
  spend(requests: readonly LimitRequest[]): Promise<void>
  /** Gives back what {@link spend} took, in so far as the limiter can. Never rejects: a lost refund heals with time. */
  refund(requests: readonly LimitRequest[]): Promise<void>
}

/** Makes a throttle; `undefined` lets everything through. */
export function createThrottle(limiter: Limiter | undefined): Throttle {
  return {
    async spend(requests) {
      if (limiter === undefined) return
      const decision = await limiter.check(requests)
      if (!decision.allowed) throw quotaExceeded(decision)
    },
    async refund(requests) {
      await limiter?.refund?.(requests).catch(() => {})
    },
  }
}
