import type { Context, Handler, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { KeyOf } from './policy.ts'

/** What a `limit()` on a route asks for. */
export interface Requirement {
  readonly policy: string
  readonly key: KeyOf | undefined
  readonly cost: number | ((c: Context) => number) | undefined
  readonly quota: ((c: Context) => number | undefined) | undefined
  /**
   * `early`: decided with the app-wide check. `late`: by itself when reached. `join`: the app-wide check waits for it.
   * `app`: the app-wide check itself.
   */
  readonly when: 'early' | 'late' | 'join' | 'app'
}

/** Says that a route asks the limiter by itself, and that the app-wide check should join that. */
export const DEFERRED = 'deferred'

type AnyHandler = Handler | MiddlewareHandler

const requirements = new WeakMap<AnyHandler, Requirement | typeof DEFERRED>()

/** Marks a handler, so that the app-wide check finds what the route will ask for. */
export function mark<H extends MiddlewareHandler>(handler: H, requirement: Requirement | typeof DEFERRED): H {
  requirements.set(handler, requirement)
  return handler
}

/** What a handler was marked with. */
export function requirementOf(handler: AnyHandler): Requirement | typeof DEFERRED | undefined {
  // A sub-app with an error handler of its own hides its handlers in wrappers.
  const target = (handler as { __COMPOSED_HANDLER?: AnyHandler }).__COMPOSED_HANDLER ?? handler
  return requirements.get(target)
}

/** A marked handler on the way of this request. */
export interface Found {
  readonly handler: AnyHandler
  readonly requirement: Requirement | typeof DEFERRED
}

const NOTHING: readonly Found[] = []

/**
 * The marked handlers that a request will meet: those among its matched routes before the first that ends the
 * chain. Hono tells handlers from middleware by their number of parameters, and so do we; where that is mistaken
 * a limit is merely decided by itself.
 */
export function findRequirements(c: Context): readonly Found[] {
  let found: Found[] | undefined
  for (const { handler } of matchedRoutes(c)) {
    // A sub-app with an error handler of its own hides its handlers in wrappers.
    const target = (handler as { __COMPOSED_HANDLER?: AnyHandler }).__COMPOSED_HANDLER ?? handler
    const requirement = requirements.get(target)
    if (requirement !== undefined) {
      found ??= []
      found.push({ handler: target, requirement })
    } else if (target.length < 2) break
  }
  return found ?? NOTHING
}
