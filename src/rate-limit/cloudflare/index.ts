/**
 * Rate limit stores of Cloudflare's own: a Durable Object, and the rate limiting binding. Apart from
 * `breakwater/rate-limit`, so that whoever counts in Redis does not carry them, and because the object can be loaded in
 * Workers only.
 * @module
 */
export { type BindingOptions, binding, type NativeLimiter } from './binding.ts'
export { type DurableObjectOptions, durableObject } from './durable-object.ts'
export { RateLimitObject } from './object.ts'
