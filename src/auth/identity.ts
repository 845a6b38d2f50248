import { isBreakwaterError } from '../core/index.ts'
import type { AuthConfig } from './config.ts'
import { unavailable } from './errors.ts'
import { readIdentity, sealIdentity, verifySeal } from './session-cache.ts'
import { findSession, type Identity, touchSession } from './session-store.ts'
import { parseToken, type Token } from './token.ts'

/** What the cookies of a request say. */
export interface PresentedCookies {
  readonly session: string | undefined
  readonly cache: string | undefined
}

/** Who the cookies belong to. */
export interface Identification extends Identity {
  /** A fresh value for the cache cookie, when the database was asked and there is a cache. */
  readonly cache?: string
  /** The stored password, when the database was asked. */
  readonly passwordHash?: string | null
}

// Isolates' clocks differ by a little.
const CLOCK_SKEW = 5000

async function fromCache(
  config: AuthConfig,
  token: Token,
  cookies: PresentedCookies,
): Promise<Identity | undefined> {
  const { cache, secrets } = config
  const claim = cache && readIdentity(cookies.cache)
  if (cache === undefined || claim === undefined || claim.session.id !== token.id) return undefined
  const now = Date.now()
  const age = now - claim.issuedAt
  if (age < -CLOCK_SKEW || age >= cache.maxAge || claim.session.expiresAt.getTime() <= now) return undefined
  const [marked, genuine] = await Promise.all([
    // First, and before anything is awaited: it travels in one request with what a limiter asks in this tick.
    // Who is asked about is not proven yet, which costs a forger a request and gives nothing.
    cache.revocations?.marked(claim.user.id).catch(() => true) ?? false,
    verifySeal(secrets, cookies.session ?? '', cookies.cache ?? ''),
  ])
  return genuine && !marked ? { user: claim.user, session: claim.session } : undefined
}

/**
 * Finds out who is asking: from the signed cookie if that may be believed, else from the database. Undefined
 * when nobody is.
 * @throws BreakwaterError `dependency-unavailable` when it cannot be known
 */
export async function identify(
  config: AuthConfig,
  cookies: PresentedCookies,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<Identification | undefined> {
  const token = parseToken(cookies.session)
  if (token === undefined) return undefined
  const cached = await fromCache(config, token, cookies)
  if (cached !== undefined) return cached

  // Before the question, so that the answer is never taken for younger than it is.
  const askedAt = Date.now()
  let found: Awaited<ReturnType<typeof findSession>>
  try {
    found = await findSession(config.db, token, config.times)
  } catch (error) {
    // Nothing was to be changed, so a broken line leaves nothing in doubt but who is asking.
    throw isBreakwaterError(error) && error.code !== 'outcome-unknown' ? error : unavailable(error)
  }
  if (found === undefined) return undefined
  const { user, session, due, passwordHash } = found
  if (due) waitUntil(touchSession(config.db, session.id, config.times))
  if (config.cache === undefined) return { user, session, passwordHash }
  const cache = await sealIdentity(config.secrets, cookies.session ?? '', { user, session }, askedAt)
  return { user, session, passwordHash, cache }
}
