/**
 * Rate limits: named policies, decided together in one round trip, in Redis or in memory.
 * @module
 */

export { addressNetwork, byAddress } from './address.ts'
export type { Decision, PolicyOutcome, RateLimitRequest } from './decision.ts'
export { refusal } from './errors.ts'
export { rateLimitFields } from './fields.ts'
export type { Access, Challenge } from './gate.ts'
export { type Hold, hold } from './hold.ts'
export { createLimiter, type RateLimiter } from './limiter.ts'
export { type RateLimit, type RateLimitEnv, type RateLimitOptions, rateLimit } from './middleware.ts'
export type { LimiterOptions } from './options.ts'
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
export type { RequestLimits } from './request-limits.ts'
export { deferLimit, type LimitOptions, limit, type RouteLimitOptions } from './route-limit.ts'
export { type MemoryOptions, memory } from './stores/memory.ts'
export type { Charge, Outcome, RateLimitStore, Rule } from './stores/store.ts'
export { type UpstashClient, upstash } from './stores/upstash.ts'
