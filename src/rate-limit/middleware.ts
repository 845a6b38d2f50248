import type { Context, MiddlewareHandler } from 'hono'
import { BreakwaterError, currentWork } from '../core/index.ts'
import { byAddress } from './address.ts'
import { refusal } from './errors.ts'
import { rateLimitFields } from './fields.ts'
import { joined } from './joined.ts'
import {
  createLimiter,
  type Decision,
  type LimiterOptions,
  type RateLimiter,
  type RateLimitRequest,
} from './limiter.ts'
import type { KeyOf, Policies } from './policy.ts'
import type { PresetName } from './presets.ts'
import { DEFERRED, findRequirements, mark, type Requirement } from './requirement.ts'

/** What {@link rateLimit} adds to the context. */
export interface RateLimitEnv {
  Variables: {
    /** This request's limiter and what it has decided so far. */
    rateLimit: RequestLimits
  }
}

/** A request's limits. */
export interface RequestLimits {
  readonly limiter: RateLimiter
  /** Decisions so far, the app-wide one first. */
  readonly decisions: readonly Decision[]
}

/** Options of one limit. */
export interface LimitOptions {
  /** Whose quota it is, for this use instead of the policy's own. */
  readonly key?: KeyOf
  /** Units this request spends. Default: the policy's own. */
  readonly cost?: number | ((c: Context) => number)
  /** Units per window for this caller, for example by plan; undefined: the policy's own. */
  readonly quota?: (c: Context) => number | undefined
}

/** Options of a limit on a route. */
export interface RouteLimitOptions extends LimitOptions {
  /**
   * When to decide. `early`: together with the app-wide check, in the same round trip; what `key`, `cost` and
   * `quota` read must be known by then. `late`: when the route is reached, in a round trip of its own. `join`:
   * as `late`, but the app-wide check waits for it and both take one round trip; until then the request is
   * held back only by what the isolate knows.
   *
   * Default: `early`, unless `key` is given: then `late`, since it may read what other middleware sets.
   */
  readonly when?: 'early' | 'late' | 'join'
}

/** Options of {@link rateLimit}. */
export interface RateLimitOptions<P extends Policies = Policies> extends LimitOptions {
  /** A limiter made before with `createLimiter`, to share with services; or the options to make one. */
  readonly limiter: RateLimiter | (Omit<LimiterOptions, 'policies'> & { readonly policies?: P })
  /** The policy for every request that comes by. Default `default`. */
  readonly policy?: PresetName | Extract<keyof NoInfer<P>, string>
  /** Requests that are not counted at all, such as health checks. */
  readonly skip?: (c: Context) => boolean
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
}

class State implements RequestLimits {
  readonly limiter: RateLimiter
  readonly decisions: Decision[]
  readonly headers: boolean
  /** Handlers whose requirement an app-wide check has decided. */
  readonly done: Set<unknown>
  started: Promise<Decision> | undefined
  /** Whether a middleware has the decision of `started`. */
  taken = false
  /** Charges left for a later check. */
  waiting: readonly RateLimitRequest[] | undefined

  /** @param earlier that of a `rateLimit` before this one on the way: what it decided stays decided. */
  constructor(limiter: RateLimiter, headers: boolean, earlier: State | undefined) {
    this.limiter = limiter
    this.headers = headers
    this.decisions = earlier ? [...earlier.decisions] : []
    this.done = earlier?.done ?? new Set()
  }

  settle(decision: Decision): void {
    this.decisions.push(decision)
    if (!decision.allowed) throw refusal(decision, this.headers)
  }
}

type MaybePromise<T> = T | Promise<T>

function request(
  limiter: RateLimiter,
  c: Context,
  name: string,
  options: Pick<Requirement, 'key' | 'cost' | 'quota'>,
): MaybePromise<RateLimitRequest> {
  const policy = limiter.policy(name)
  const cost = typeof options.cost === 'function' ? options.cost(c) : options.cost
  const quota = options.quota?.(c)
  const finish = (key: string | undefined): RateLimitRequest => ({
    policy: name,
    key: key ?? byAddress(c),
    ...(cost !== undefined && { cost }),
    ...(quota !== undefined && { quota }),
  })
  const keyOf = options.key ?? policy.key
  if (keyOf === 'ip') return finish(undefined)
  const key = keyOf(c)
  // Staying in the tick when nothing has to be waited for is what lets the check share a round trip.
  return key instanceof Promise ? key.then(finish) : finish(key)
}

function stateOf(c: Context): State | undefined {
  const state: unknown = c.get('rateLimit')
  return state instanceof State ? state : undefined
}

function routeLimit(policy: string, options: RouteLimitOptions): MiddlewareHandler {
  const requirement: Requirement = {
    policy,
    key: options.key,
    cost: options.cost,
    quota: options.quota,
    when: options.when ?? (options.key === undefined ? 'early' : 'late'),
  }
  const handler: MiddlewareHandler = async function limit(c, next) {
    const state = stateOf(c)
    if (state === undefined) {
      throw new BreakwaterError('misconfigured', {
        status: 500,
        cause: new TypeError('limit() needs rateLimit() before it'),
      })
    }
    if (!state.done.has(handler)) {
      const own = await request(state.limiter, c, policy, requirement)
      const requests = state.waiting ? [...state.waiting, own] : [own]
      if (state.waiting) {
        state.waiting = undefined
        const work = currentWork()
        if (work) joined.take(work, state.limiter)
      }
      state.settle(await state.limiter.check(requests))
    }
    return next()
  }
  return mark(handler, requirement)
}

/**
 * A further policy on a route. Where nothing it needs is known late, it is decided together with the app-wide
 * check, so that it costs no round trip of its own. Needs {@link rateLimit} before it.
 *
 * @example app.post('/search', limit('expensive'), handler)
 */
export function limit(
  policy: PresetName | (string & {}),
  options: RouteLimitOptions = {},
): MiddlewareHandler {
  return routeLimit(policy, options)
}

/**
 * For routes whose services ask the limiter by themselves (`Limiter.check`): the app-wide check waits and is
 * decided together with the first of those, in one round trip. It is charged in any case: when nobody asked by
 * the time of the reply, it is charged behind it. Needs a unit of work; without one it changes nothing.
 *
 * @example app.use('/auth/*', deferLimit())
 */
export function deferLimit(): MiddlewareHandler {
  const handler: MiddlewareHandler = async function deferLimit(_c, next) {
    return next()
  }
  return mark(handler, DEFERRED)
}

/** Starts the app-wide check; resolves with its decision. */
async function begin(c: Context, state: State, policy: string, options: LimitOptions): Promise<Decision> {
  const { limiter } = state
  const asked: MaybePromise<RateLimitRequest>[] = [
    request(limiter, c, policy, { key: options.key, cost: options.cost, quota: options.quota }),
  ]
  let wait = false
  for (const { handler, requirement } of findRequirements(c)) {
    if (requirement === DEFERRED) wait ||= currentWork() !== undefined
    else if (requirement.when === 'join') wait = true
    else if (requirement.when === 'early' && !state.done.has(handler)) {
      asked.push(request(limiter, c, requirement.policy, requirement))
      state.done.add(handler)
    }
  }
  const sync = asked.every((one) => !(one instanceof Promise))
  const requests = sync ? (asked as RateLimitRequest[]) : await Promise.all(asked)
  if (!wait) return limiter.check(requests)
  const work = currentWork()
  state.waiting = requests
  if (work) joined.leave(work, { limiter, requests, decided: (decision) => state.decisions.push(decision) })
  // What the isolate knows to be blocked is refused even so.
  return limiter.known(requests)
}

function setFields(c: Context, state: State): void {
  const fields = rateLimitFields(state.decisions)
  for (const name in fields) c.header(name, fields[name])
}

/** Charges what waited for a check that never came. */
function settleWaiting(c: Context, state: State): void {
  if (state.waiting === undefined) return
  const work = currentWork()
  const requests = work ? joined.take(work, state.limiter)?.requests : state.waiting
  state.waiting = undefined
  if (requests === undefined) return
  const charged = state.limiter.check(requests).catch(() => {})
  if (work) work.waitUntil(charged)
  else {
    try {
      c.executionCtx.waitUntil(charged)
    } catch {
      // No execution context outside of Workers, where nothing cuts the promise off either.
    }
  }
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

  function start(c: Context): State | undefined {
    const earlier = stateOf(c)
    // A second rateLimit on the same way has its own policy, and so its own state.
    if (earlier?.limiter === limiter && earlier.started !== undefined && !earlier.taken) return earlier
    if (options.skip?.(c)) return undefined
    const state = new State(limiter, headers, earlier)
    c.set('rateLimit', state)
    state.started = begin(c, state, policy, options)
    // The middleware awaits it; until then a rejection has no one.
    state.started.catch(() => {})
    return state
  }

  const middleware: MiddlewareHandler<RateLimitEnv> = async function rateLimit(c, next) {
    const state = start(c)
    if (state === undefined) return next()
    state.taken = true
    state.settle(await (state.started as Promise<Decision>))
    const known = state.decisions.length
    // Before the handler is cheap: they are there when its reply is made. A reply made by hand, an error's, or
    // one after further decisions gets them below.
    if (headers) setFields(c, state)
    try {
      await next()
    } finally {
      settleWaiting(c, state)
    }
    if (headers && (state.decisions.length > known || !c.res.headers.has('RateLimit-Policy')))
      setFields(c, state)
    return undefined
  }
  return Object.assign(middleware, {
    limiter,
    limit: (name: string, more: RouteLimitOptions = {}) => {
      limiter.policy(name)
      return routeLimit(name, more)
    },
    start: (c: Context) => {
      start(c)
    },
  })
}
