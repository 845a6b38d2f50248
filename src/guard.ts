import type { Context, MiddlewareHandler } from 'hono'
import { type Auth, type AuthEnv, isDeferred, session } from './auth/index.ts'
import type { RateLimit, RateLimitEnv } from './rate-limit/index.ts'

/** What {@link guard} is made of. */
export interface GuardOptions {
  /** What `rateLimit()` returned. */
  readonly limits: RateLimit
  /** What `createAuth()` returned. */
  readonly auth: Auth
}

/**
 * Rate limit and session together, one round trip deep: the check of the limits and the question whether the
 * session was ended are asked in one tick, so that they travel in one Redis pipeline, and where the database must
 * be asked it is asked at the same time. A request that the limits refuse is refused, whoever sent it.
 *
 * Where the route says `deferSession()` only the limits are asked.
 *
 * Puts on the context what {@link session} and `rateLimit` put there. Mount it after `requestContext()`, instead of
 * both.
 */
export function guard(options: GuardOptions): MiddlewareHandler<AuthEnv & RateLimitEnv> {
  const { limits, auth } = options
  const identify = session(auth)
  return limits.within(async function guard(c, next) {
    limits.start(c)
    if (isDeferred(c as unknown as Context)) return limits(c as unknown as Context<RateLimitEnv>, next)
    identify.start(c)
    // Hono's Context is invariant in its environment; each of the two touches only variables of its own.
    return limits(c as unknown as Context<RateLimitEnv>, async () => {
      await identify(c as unknown as Context<AuthEnv>, next)
    })
  })
}
