import type { Context, MiddlewareHandler } from 'hono'
import { BreakwaterError, currentWork } from '../core/index.ts'
import { joined } from './joined.ts'
import type { KeyOf } from './policy.ts'
import type { PresetName } from './presets.ts'
import { requestFor, stateOf } from './request-limits.ts'
import { DEFERRED, mark, type Requirement } from './requirement.ts'

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

/** A limit on a route, for the limiter of whichever `rateLimit()` is before it. */
export function routeLimit(policy: string, options: RouteLimitOptions): MiddlewareHandler {
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
    if (!state.off && !state.done.has(handler)) {
      const own = await requestFor(state.limiter, c, policy, requirement)
      const requests = state.waiting ? [...state.waiting, own] : [own]
      if (state.waiting) {
        state.waiting = undefined
        const work = currentWork()
        if (work) joined.take(work, state.limiter)
      }
      await state.settle(c, await state.limiter.check(requests), requests)
    }
    return next()
  }
  return mark(handler, requirement)
}

/**
 * A further policy on a route. Where nothing it needs is known late, it is decided together with the app-wide
 * check, so that it costs no round trip of its own. Needs {@link rateLimit} before it. Slots of a `concurrency` policy are
 * given back when the reply has been sent to its end.
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
