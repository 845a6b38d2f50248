import type { CompiledPolicy } from '../policy.ts'

/** The part of a policy that a store reads: plain data, which can travel. */
export type Rule = Pick<
  CompiledPolicy,
  'name' | 'algorithm' | 'quota' | 'window' | 'penaltyAfter' | 'penaltyCeiling' | 'penaltyDecay' | 'shadow'
>

/** One spending that a store is asked about. */
export interface Charge {
  readonly policy: Rule
  /** The full name of the state's key: prefixed, versioned, hashed. */
  readonly key: string
  /** Units; a positive integer. */
  readonly cost: number
  /** Units per window, the policy's own unless the request has its own. */
  readonly quota: number
  /** Units a rested key holds; the quota except for token buckets. */
  readonly burst: number
  /** For `concurrency`: a number for the slots taken, by which they are given back. A positive safe integer. */
  readonly lease?: number
}

/** What a store says about one charge. Times are milliseconds from now by the store's clock. */
export interface Outcome {
  /** Whether this policy by itself would let it pass. */
  readonly allowed: boolean
  /** Units left, after this charge when all were taken, before it otherwise. */
  readonly remaining: number
  /** Until the quota is whole again, or, after a refusal, until a retry can succeed. */
  readonly reset: number
  /** Until a retry of the same cost can succeed; 0 when allowed. */
  readonly retry: number
  /** Until any request of this key can succeed: what an isolate may remember and answer by itself. 0: ask. */
  readonly block: number
  /** Whether the key is under a penalty. */
  readonly penalized: boolean
}

/**
 * Where the counts live. All charges of a call are decided together, by the store's own clock, atomically: when
 * one that is not a shadow refuses, none is charged; a refusal never consumes.
 */
export interface RateLimitStore {
  /** For messages: `upstash`, `memory`. */
  readonly name: string
  /** Charges all or none. One outcome per charge, in order. */
  take(charges: readonly Charge[]): Promise<readonly Outcome[]>
  /** What {@link take} would say, without charging or counting a violation. */
  peek(charges: readonly Charge[]): Promise<readonly Outcome[]>
  /**
   * Gives back what was taken, never more than is spent in the present window. Of a `concurrency` policy, the
   * slots of the charge's lease.
   */
  refund(charges: readonly Charge[]): Promise<void>
  /** Forgets keys altogether, penalties too. */
  reset(charges: readonly Charge[]): Promise<void>
  /** Blocks keys by hand for so many milliseconds; 0 ends a block and forgives the violations behind it. */
  block(charges: readonly Charge[], ms: number): Promise<void>
}
