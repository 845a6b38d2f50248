import type { Context, MiddlewareHandler, Next } from 'hono'
import { currentWork, type Duration, milliseconds } from '../core/index.ts'
import { type AuthSource, internalsOf } from './auth.ts'
import { setCacheCookie } from './cookies.ts'
import { forbidden, freshAuthenticationRequired, unauthenticated } from './errors.ts'
import type { Session, User } from './session-store.ts'

/** What {@link session} adds to the context. */
export interface AuthEnv {
  Variables: {
    /** Who is asking; undefined when nobody is signed in. */
    user: User | undefined
    /** Their session; undefined when nobody is signed in. */
    session: Session | undefined
  }
}

/** What {@link session} returns. */
export interface SessionHandler extends MiddlewareHandler<AuthEnv> {
  /**
   * Begins to find out who is asking without waiting for it, for a guard that starts several things in one tick, so that
   * they share one round trip; the middleware itself then waits for the answer.
   */
  start(c: Context): void
}

/** What {@link requireUser} and {@link requireFresh} make of it. */
export interface SignedInEnv {
  Variables: { user: User; session: Session }
}

/**
 * Whether the cache cookie may go out with a reply: not with one that a cache may keep, nor with an upgrade, nor
 * where the route has just handed out, or taken back, the session itself.
 */
function mayCarryCache(response: Response, cookieName: string): boolean {
  if (response.status === 101) return false
  if (/\bpublic\b|\bs-maxage\b/i.test(response.headers.get('cache-control') ?? '')) return false
  return !response.headers.getSetCookie().some((line) => line.startsWith(cookieName))
}

/**
 * Finds out who is asking and puts `user` and `session` on the context; undefined where nobody is. A request
 * without a session cookie costs nothing.
 *
 * @param source what `createAuth` made, or how to come by it.
 * @throws BreakwaterError `dependency-unavailable` (503) when it cannot be known who is asking
 */
export function session(source: AuthSource): SessionHandler {
  const handler: MiddlewareHandler<AuthEnv> = async function session(c, next) {
    const { config, identify } = internalsOf(source, c)
    const found = await identify(c)
    c.set('user', found?.user)
    c.set('session', found?.session)
    if (found !== undefined) {
      const facts = currentWork()?.facts
      facts?.set('userId', found.user.id)
      facts?.set('sessionId', found.session.id)
    }
    await next()
    if (found?.cache !== undefined && mayCarryCache(c.res, config.cookieName)) {
      setCacheCookie(c, config, found.cache)
    }
  }
  return Object.assign(handler, {
    start: (c: Context) => {
      // Whoever mounts this awaits it; what fails is his to meet.
      internalsOf(source, c).identify(c)
    },
  })
}

function signedIn(c: Context<AuthEnv>): Session {
  // `c.var` copies every variable each time it is read.
  const session = c.get('session')
  if (c.get('user') === undefined || session === undefined) throw unauthenticated()
  return session
}

/**
 * Lets only signed-in people through, after {@link session}. Behind it `c.var.user` is never undefined.
 * @throws BreakwaterError `unauthenticated` (401)
 */
export function requireUser(): MiddlewareHandler<SignedInEnv> {
  return async function requireUser(c, next: Next) {
    signedIn(c as unknown as Context<AuthEnv>)
    await next()
  }
}

/** Options of {@link requireFresh}. */
export interface RequireFreshOptions {
  /** How long ago the password may have been given. Default 15 minutes. */
  readonly within?: Duration
}

/**
 * Lets only people through who have lately proved who they are, for what must not be done from a device left
 * open (ASVS 7.5.1). Signing in again, even when signed in, is how to prove it.
 * @throws BreakwaterError `unauthenticated` (401), `fresh-authentication-required` (403)
 */
export function requireFresh(options: RequireFreshOptions = {}): MiddlewareHandler<SignedInEnv> {
  const within = milliseconds(options.within ?? '15 m')
  if (within < 1000) throw new TypeError('requireFresh: within must be a second at least')
  return async function requireFresh(c, next: Next) {
    const { authenticatedAt } = signedIn(c as unknown as Context<AuthEnv>)
    if (Date.now() - authenticatedAt.getTime() > within) throw freshAuthenticationRequired(within / 1000)
    await next()
  }
}

/**
 * Lets only people through who have one of these roles, after {@link session}.
 * @throws BreakwaterError `unauthenticated` (401), `forbidden` (403)
 */
export function requireRole(...roles: readonly [string, ...string[]]): MiddlewareHandler<SignedInEnv> {
  return async function requireRole(c, next: Next) {
    signedIn(c as unknown as Context<AuthEnv>)
    if (!roles.some((role) => c.var.user.roles.includes(role))) throw forbidden()
    await next()
  }
}

/**
 * Lets only people through of whom the option `can` says they may do this, after {@link session}.
 * @throws BreakwaterError `unauthenticated` (401), `forbidden` (403)
 */
export function requireCan(
  source: AuthSource,
  action: string,
  resource?: (c: Context) => unknown,
): MiddlewareHandler<SignedInEnv> {
  return async function requireCan(c, next: Next) {
    signedIn(c as unknown as Context<AuthEnv>)
    const identity = { user: c.var.user, session: c.var.session }
    if (!(await internalsOf(source, c).config.can(identity, action, resource?.(c)))) throw forbidden()
    await next()
  }
}
