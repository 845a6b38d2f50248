import type { Redis } from '@upstash/redis'

/**
 * Remembers, for a short while, whose sessions were ended, so that a signed cookie is not believed after that.
 * A mark never ends a session by itself: it says "ask the database about this person".
 */
export interface Revocations {
  /** Whether a person's signed cookies must not be believed. A rejection counts as yes. */
  marked(userId: string): Promise<boolean>
  /** Marks a person for at least `seconds`. */
  mark(userId: string, seconds: number): Promise<void>
}

/** Options of {@link redisRevocations}. */
export interface RedisRevocationsOptions {
  /** Begins every key. Default `bw:auth:revoked:`. */
  readonly prefix?: string
}

/**
 * Marks in Redis: one key a person, there only after sessions of theirs were ended.
 *
 * The question is a `GETEX` without options, which reads as `GET` does. `@upstash/redis` sends what it takes for
 * reads and for writes in separate requests, and takes `GETEX` for a write, as it does a limiter's script: asked
 * in the same tick they travel as one request.
 */
export function redisRevocations(redis: Redis, options: RedisRevocationsOptions = {}): Revocations {
  const prefix = options.prefix ?? 'bw:auth:revoked:'
  return {
    async marked(userId) {
      return (await redis.getex(prefix + userId)) !== null
    },
    async mark(userId, seconds) {
      await redis.set(prefix + userId, 1, { ex: seconds })
    },
  }
}
