import type { Context, MiddlewareHandler, Next } from 'hono'
import type { AuthEnv } from '../middleware.ts'
import type { Session, User } from '../session-store.ts'
import type { ApiKeys } from './api-keys.ts'
import { insufficientScope, keyRequired, noKey } from './errors.ts'
import type { ApiKey } from './store.ts'

/** What {@link requireScope} puts on the context. */
export interface ScopedEnv {
  Variables: {
    /** Who is asking. */
    user: User
    /** Their session; undefined when they came with a key. */
    session: Session | undefined
    /** Their key; undefined when they came with a session. */
    apiKey: ApiKey | undefined
  }
}

/** Options of {@link requireScope}. */
export interface RequireScopeOptions {
  /** Whether a session, which has every scope, will do as well. Default true. */
  readonly sessions?: boolean
}

/**
 * Lets programs through that come with an API key of these scopes (`Authorization: Bearer`), and people who are
 * signed in. Only behind it does a key count: a route without it knows nobody who comes with one. A request that has
 * both counts as the key's.
 *
 * @param keys what `createApiKeys` made.
 * @param scope one scope, or several that must all be had.
 * @throws TypeError at once when there is no such scope
 * @throws BreakwaterError `unauthenticated` (401), `forbidden` (403), `dependency-unavailable` (503)
 */
export function requireScope<Scope extends string>(
  keys: ApiKeys<Scope>,
  scope: NoInfer<Scope> | readonly NoInfer<Scope>[],
  options: RequireScopeOptions = {},
): MiddlewareHandler<ScopedEnv> {
  const { sessions = true } = options
  const needed: readonly Scope[] = typeof scope === 'string' ? [scope] : scope
  if (needed.length === 0) throw new TypeError('requireScope: name a scope')
  for (const one of needed) {
    if (!keys.scopes.includes(one)) throw new TypeError(`requireScope: there is no scope "${one}"`)
  }
  return async function requireScope(c, next: Next) {
    const found = await keys.identify(c)
    if (found !== undefined) {
      if (!needed.every((one) => found.apiKey.scopes.includes(one))) throw insufficientScope(needed)
      c.set('user', found.user)
      c.set('session', undefined)
      c.set('apiKey', found.apiKey)
    } else {
      const earlier = c as unknown as Context<AuthEnv>
      if (earlier.get('user') === undefined || earlier.get('session') === undefined) throw noKey()
      if (!sessions) throw keyRequired()
      c.set('apiKey', undefined)
    }
    await next()
  }
}
