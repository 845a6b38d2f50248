import { newLease } from './charges.ts'
import type { Decision, RateLimitRequest } from './decision.ts'
import type { RateLimiter } from './limiter.ts'

/** What {@link hold} returns. */
export interface Hold {
  readonly decision: Decision
  /** Gives the slots back; what other policies took stays taken. Never fails, and does nothing the second time. */
  release(): Promise<void>
}

/**
 * Asks a limiter as `check` does, and keeps the slots of `concurrency` policies until they are released, for services and
 * jobs that are no routes.
 *
 * @example
 * const { decision, release } = await hold(limiter, [{ policy: 'reports', key: `tenant:${id}` }])
 * if (decision.allowed) try { await report() } finally { await release() }
 */
export async function hold(limiter: RateLimiter, requests: readonly RateLimitRequest[]): Promise<Hold> {
  const leased = requests.map((request) =>
    limiter.policy(request.policy).algorithm === 'concurrency' ? { ...request, lease: newLease() } : request,
  )
  const decision = await limiter.check(leased)
  let held = decision.allowed ? leased.filter(({ lease }) => lease !== undefined) : []
  return {
    decision,
    async release() {
      const giving = held
      held = []
      if (giving.length > 0) await limiter.refund(giving)
    },
  }
}
