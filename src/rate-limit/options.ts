import type { Decision } from './decision.ts'
import type { Policies } from './policy.ts'
import type { RateLimitStore } from './stores/store.ts'

/** Options of `createLimiter`. */
export interface LimiterOptions {
  /** Where the counts live: `upstash(redis)`, `memory()`, or one of `breakwater/rate-limit/cloudflare`. */
  readonly store: RateLimitStore
  /** Policies beside, or instead of, the presets. */
  readonly policies?: Policies
  /** Milliseconds that the store may take before each policy's `onStoreFailure` decides. Default 150. */
  readonly timeout?: number
  /** Begins every key in the store. Default `bw:rl`. */
  readonly prefix?: string
  /**
   * Keys the hash of addresses and accounts, so that whoever reads the store cannot find them by trying all.
   * Changing it forgets all counts. Default: an unkeyed hash.
   */
  readonly secret?: string
  /** Blocked keys that the isolate remembers, to refuse them without a round trip. Default 5,000; 0: none. */
  readonly maxBlocked?: number
  /**
   * The share of each quota that one isolate may give out by itself while the store is out (`local` policies): more
   * than one isolate serves at any time. Above 0, at most 1. Default 0.5.
   */
  readonly localShare?: number
  /**
   * Told when the store fails or is too slow: once an outage, not once a request, and not more than once a minute
   * when it comes and goes. For logs and alerts.
   */
  readonly onStoreFailure?: (error: unknown) => void
  /** Told of each decision by which a policy refused, or would have refused were it no shadow. For metrics. */
  readonly onViolation?: (decision: Decision) => void
}
