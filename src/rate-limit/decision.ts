import type { LimitDecision, LimitRequest } from '../core/index.ts'
import type { CompiledPolicy } from './policy.ts'
import type { Charge, Outcome } from './stores/store.ts'

/** One thing to ask. */
export interface RateLimitRequest extends LimitRequest {
  /** Units per window for this request instead of the policy's own, for example by the caller's plan. */
  readonly quota?: number
  /** For `concurrency`: the number by which a refund finds the slots to give back, see `hold`. */
  readonly lease?: number
}

/** What one policy said. */
export interface PolicyOutcome {
  readonly policy: CompiledPolicy
  readonly quota: number
  readonly allowed: boolean
  /** Units left. */
  readonly remaining: number
  /** Seconds until the quota is whole again, or, after a refusal, until a retry can succeed. */
  readonly reset: number
  /** Seconds until a retry of the same cost can succeed; 0 when allowed. */
  readonly retryAfter: number
  /** Whether the key is under a penalty. */
  readonly penalized: boolean
}

/** What the limiter decided, with each policy's own word. */
export interface Decision extends LimitDecision {
  /**
   * One for each request, in order. Policies that nobody counted (open in an outage) are not among them; a
   * refusal known without asking lists only the policies that refuse.
   */
  readonly outcomes: readonly PolicyOutcome[]
  /** Shadow policies that would have refused. */
  readonly shadowed: readonly string[]
  /** Who decided: the store, this isolate's memory of blocked keys, or each policy's word for an outage. */
  readonly by: 'store' | 'isolate' | 'outage'
  /** Refused only because the store is out and a policy is `closed` then. */
  readonly unavailable: boolean
}

/** A charge with the whole of its policy. */
export interface FullCharge extends Charge {
  readonly policy: CompiledPolicy
}

const seconds = (ms: number) => Math.ceil(ms / 1000)

/** Puts outcomes, one for each charge, into a decision. */
export function decisionOf(
  charges: readonly FullCharge[],
  outcomes: readonly Outcome[],
  by: Decision['by'],
): Decision {
  const violated: string[] = []
  const shadowed: string[] = []
  let retry = 0
  const said = charges.map(({ policy, quota }, i): PolicyOutcome => {
    const { allowed, remaining, reset, retry: wait, penalized } = outcomes[i] as Outcome
    if (!allowed) {
      const names = policy.shadow ? shadowed : violated
      if (!names.includes(policy.name)) names.push(policy.name)
      if (!policy.shadow) retry = Math.max(retry, wait, 1)
    }
    return {
      policy,
      quota,
      allowed,
      remaining,
      reset: seconds(reset),
      retryAfter: seconds(wait),
      penalized,
    }
  })
  return {
    allowed: violated.length === 0,
    retryAfter: seconds(retry),
    violated,
    outcomes: said,
    shadowed,
    by,
    unavailable: false,
  }
}
