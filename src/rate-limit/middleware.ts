import type { Context, MiddlewareHandler } from 'hono'
import { currentWork } from '../core/index.ts'
import type { Decision, RateLimitRequest } from './decision.ts'
import { type Access, type Challenge, challengeRequired, denial } from './gate.ts'
import { joined } from './joined.ts'
import { createLimiter, type RateLimiter } from './limiter.ts'
import type { LimiterOptions } from './options.ts'
import type { Policies } from './policy.ts'
import type { PresetName } from './presets.ts'
import { type MaybePromise, type RequestLimits, requestFor, State, stateOf } from './request-limits.ts'
import { DEFERRED, findRequirements, mark } from './requirement.ts'
import { type LimitOptions, type RouteLimitOptions, routeLimit } from './route-limit.ts'

/** What {@link rateLimit} adds to the context. */
export interface RateLimitEnv {
  Variables: {
    /** This request's limiter and what it has decided so far. */
    rateLimit: RequestLimits
  }
}

/** Options of {@link rateLimit}. */
export interface RateLimitOptions<P extends Policies = Policies> extends LimitOptions {
  /** A limiter made before with `createLimiter`, to share with services; or the options to make one. */
  readonly limiter: RateLimiter | (Omit<LimiterOptions, 'policies'> & { readonly policies?: P })
  /** The policy for every request that comes by. Default `default`. */
  readonly policy?: PresetName | Extract<keyof NoInfer<P>, string>
  /** Requests that are not counted at all, such as health checks. */
  readonly skip?: (c: Context) => boolean
  /** Who is not limited, who is refused and who must prove himself first, before any limit is asked. */
  readonly access?: Access
  /** Asks for a proof (403 `challenge-required`) in the place of refusing. */
  readonly challenge?: Challenge
  /** Whether replies carry `RateLimit-Policy` and `RateLimit`. Default true. */
  readonly headers?: boolean
}

/** What {@link rateLimit} returns: a middleware, and what goes with it. */
export interface RateLimit<P extends Policies = Policies> extends MiddlewareHandler<RateLimitEnv> {
  /** The limiter, for services that ask by themselves. */
  readonly limiter: RateLimiter
  /** A further policy on a route. @throws BreakwaterError at once when there is no such policy. */
  limit(policy: PresetName | Extract<keyof P, string>, options?: RouteLimitOptions): MiddlewareHandler
  /**
   * Begins the check without waiting for it. For a guard that starts several things in one tick, so that they
   * share one round trip; the middleware itself then waits for the decision.
   */
  start(c: Context): void
  /** Says of a middleware that calls this one that it does, for whoever lists an app's routes and their policies. */
  within<H extends MiddlewareHandler>(handler: H): H
}

/** Starts the app-wide check; resolves with its decision. */
function begin(c: Context, state: State, policy: string, options: LimitOptions): Promise<Decision> {
  const { limiter } = state
  let wait = false
  let asked: MaybePromise<RateLimitRequest>[]
  try {
    asked = [requestFor(limiter, c, policy, options)]
    for (const { handler, requirement } of findRequirements(c)) {
      if (requirement === DEFERRED) wait ||= currentWork() !== undefined
      else if (requirement.when === 'join') wait = true
      else if (requirement.when === 'early' && !state.done.has(handler)) {
        asked.push(requestFor(limiter, c, requirement.policy, requirement))
        state.done.add(handler)
      }
    }
  } catch (error) {
    return Promise.reject(error)
  }
  return asked.some((one) => one instanceof Promise)
    ? Promise.all(asked).then((requests) => ask(state, requests, wait))
    : ask(state, asked as RateLimitRequest[], wait)
}

/** @param wait for a later check, to be decided together with it. */
function ask(state: State, requests: readonly RateLimitRequest[], wait: boolean): Promise<Decision> {
  const { limiter } = state
  state.asked = requests
  if (!wait) return limiter.check(requests)
  const work = currentWork()
  state.waiting = requests
  if (work) joined.leave(work, { limiter, requests, decided: (decision) => state.note(decision, requests) })
  // What the isolate knows to be blocked is refused even so.
  return Promise.resolve(limiter.known(requests))
}

/** Calls back when a reply's body has been read to its end, or nobody reads it any more. */
function whenSent(c: Context, done: () => void): void {
  const { body } = c.res
  if (body === null) {
    done()
    return
  }
  const reader = body.getReader()
  const watched = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done: end, value } = await reader.read()
        if (!end) return controller.enqueue(value)
        done()
        controller.close()
      } catch (error) {
        done()
        controller.error(error)
      }
    },
    cancel(reason) {
      done()
      return reader.cancel(reason)
    },
  })
  c.res = new Response(watched, c.res)
}

/**
 * Limits every request that comes by: one round trip for all policies of a request, the ones of {@link limit}
 * on its route included, and none for a key the isolate knows to be blocked. Replies carry the RateLimit
 * fields (draft 11); refusals are problem documents with `Retry-After`.
 *
 * @example
 * const limits = rateLimit({ limiter: { store: upstash(redis) } })
 * app.use(limits).post('/search', limits.limit('expensive'), handler)
 * @throws TypeError or BreakwaterError at once when a policy is wrong or missing.
 */
export function rateLimit<const P extends Policies = Record<never, never>>(
  options: RateLimitOptions<P>,
): RateLimit<P> {
  const limiter = 'check' in options.limiter ? options.limiter : createLimiter(options.limiter)
  const policy = options.policy ?? 'default'
  limiter.policy(policy)
  const headers = options.headers ?? true
  const challenge = options.challenge && { policies: [policy], ...options.challenge }
  for (const name of challenge?.policies ?? []) limiter.policy(name)

  function start(c: Context): State {
    const earlier = stateOf(c)
    // A second rateLimit on the same way has its own policy, and so its own state.
    if (earlier?.limiter === limiter && earlier.started !== undefined && !earlier.taken) return earlier
    const state = new State(limiter, headers, challenge, earlier)
    const access = options.access?.(c)
    state.off = access === 'allow' || options.skip?.(c) === true
    // Where an earlier one counts, limits further on are still its to decide.
    if (!state.off || earlier === undefined) c.set('rateLimit', state)
    if (state.off) return state
    state.started =
      access === undefined ? begin(c, state, policy, options) : screen(c, state, access === 'challenge')
    // The middleware awaits it; until then a rejection has no one.
    state.started.catch(() => {})
    return state
  }

  /** Lets through whom a list asks for a proof that he has; then the limits decide. */
  async function screen(c: Context, state: State, provable: boolean): Promise<Decision> {
    if (!provable || challenge === undefined) throw denial()
    if (!(await state.proven(c))) throw challengeRequired(challenge)
    return begin(c, state, policy, options)
  }

  const middleware: MiddlewareHandler<RateLimitEnv> = async function rateLimit(c, next) {
    const state = start(c)
    if (state.off) return next()
    state.taken = true
    await state.settle(c, await (state.started as Promise<Decision>), state.waiting ? [] : state.asked)
    try {
      await next()
    } finally {
      state.settleWaiting(c)
      if (state.held.length > 0) whenSent(c, () => state.release(c))
      // A further rateLimit on the way has said what this one would, and more.
      if (headers && (stateOf(c) === state || !c.res.headers.has('RateLimit-Policy'))) state.setFields(c)
    }
    return undefined
  }
  const requirement = {
    policy,
    key: options.key,
    cost: options.cost,
    quota: options.quota,
    when: 'app',
  } as const
  const within = <H extends MiddlewareHandler>(handler: H): H => mark(handler, requirement)
  return Object.assign(within(middleware), {
    limiter,
    within,
    limit: (name: string, more: RouteLimitOptions = {}) => {
      limiter.policy(name)
      return routeLimit(name, more)
    },
    start: (c: Context) => {
      start(c)
    },
  })
}
