/**
 * Rate limits: named policies, decided together in one round trip, in Redis or in memory.
 * @module
 */
export { addressNetwork, byAddress } from './address.ts'
export { refusal } from './errors.ts'
export { rateLimitFields } from './fields.ts'
export {
  createLimiter,
  type Decision,
  type LimiterOptions,
  type PolicyOutcome,
  type RateLimiter,
  type RateLimitRequest,
} from './limiter.ts'
export {
  deferLimit,
  type LimitOptions,
  limit,
  type RateLimit,
  type RateLimitEnv,
  type RateLimitOptions,
  type RequestLimits,
  type RouteLimitOptions,
  rateLimit,
} from './middleware.ts'
export type {
  Algorithm,
  CompiledPolicy,
  KeyOf,
  Penalty,
  Policies,
  Policy,
  StoreFailure,
} from './policy.ts'
export { type PresetName, presets } from './presets.ts'
export { type MemoryOptions, memory } from './stores/memory.ts'
export type { Charge, Outcome, RateLimitStore } from './stores/store.ts'
export { type UpstashClient, upstash } from './stores/upstash.ts'
