/**
 * Upstash Redis, configured for production: one round trip for all commands of a tick, a deadline, and failures
 * in the family of errors that the rest of Breakwater speaks.
 * @module
 */
export type { Redis } from '@upstash/redis/cloudflare'
export { createRedis, type RedisOptions } from './create-redis.ts'
