import { isBreakwaterError } from '../core/index.ts'
import { readAccessToken, verifyAccessToken } from './access-token.ts'
import type { AuthConfig } from './config.ts'
import { unavailable } from './errors.ts'
import { type CachedIdentity, readIdentity, sealIdentity, verifySeal } from './session-cache.ts'
import {
  type FoundSession,
  findSession,
  findTokenSession,
  type Identity,
  touchSession,
} from './session-store.ts'
import { parseToken, type Token } from './token.ts'

/** What a request says about who is asking. */
export interface Presented {
  readonly session: string | undefined
  readonly cache: string | undefined
  /** An access token. Where there is one, cookies do not count. */
  readonly bearer: string | undefined
}

/** Who they belong to. */
export interface Identification extends Identity {
  /** A fresh value for the cache cookie, when the database was asked and there is a cache. */
  readonly cache?: string
  /** The stored password, when the database was asked. */
  readonly passwordHash?: string | null
}

// Isolates' clocks differ by a little.
const CLOCK_SKEW = 5000

/** Whether what a signed text says is of this moment, forgery aside. */
function isCurrent(claim: CachedIdentity, maxAge: number): boolean {
  const now = Date.now()
  const age = now - claim.issuedAt
  return age >= -CLOCK_SKEW && age < maxAge && claim.session.expiresAt.getTime() > now
}

/** Whether a person's sessions may have been ended lately. */
async function isMarked(config: AuthConfig, userId: string): Promise<boolean> {
  return config.cache?.revocations?.marked(userId).catch(() => true) ?? false
}

async function fromCache(
  config: AuthConfig,
  token: Token,
  presented: Presented,
): Promise<Identity | undefined> {
  const { cache, secrets } = config
  const claim = cache && readIdentity(presented.cache)
  if (cache === undefined || claim === undefined || claim.session.id !== token.id) return undefined
  if (!isCurrent(claim, cache.maxAge)) return undefined
  const [marked, genuine] = await Promise.all([
    // First, and before anything is awaited: it travels in one request with what a limiter asks in this tick.
    // Who is asked about is not proven yet, which costs a forger a request and gives nothing.
    isMarked(config, claim.user.id),
    verifySeal(secrets, presented.session ?? '', presented.cache ?? ''),
  ])
  return genuine && !marked ? { user: claim.user, session: claim.session } : undefined
}

/**
 * Who is asking by what is signed alone, where nobody needs to be asked for it; else undefined. Whether the session was
 * ended a moment ago is not known: for statements that make sure of that themselves.
 */
export async function claimed(config: AuthConfig, presented: Presented): Promise<Identity | undefined> {
  const { bearer, session = '', cache = '' } = presented
  const { secrets, tokens } = config
  if (bearer !== undefined) {
    const claim = tokens && readAccessToken(bearer)
    if (tokens === undefined || claim === undefined || !isCurrent(claim, tokens.access)) return undefined
    if (!(await verifyAccessToken(secrets, config.app.origin, bearer))) return undefined
    return { user: claim.user, session: claim.session }
  }
  const claim = config.cache && readIdentity(cache)
  if (config.cache === undefined || claim === undefined) return undefined
  if (!isCurrent(claim, config.cache.maxAge) || claim.session.id !== parseToken(session)?.id) return undefined
  if (!(await verifySeal(secrets, session, cache))) return undefined
  return { user: claim.user, session: claim.session }
}

async function asking<T>(question: Promise<T>): Promise<T> {
  try {
    return await question
  } catch (error) {
    // Nothing was to be changed, so a broken line leaves nothing in doubt but who is asking.
    throw isBreakwaterError(error) && error.code !== 'outcome-unknown' ? error : unavailable(error)
  }
}

/** Who an access token belongs to: by itself while no mark speaks against it, else by the database. */
async function fromBearer(config: AuthConfig, bearer: string): Promise<FoundSession | Identity | undefined> {
  const { tokens, cache, secrets, app } = config
  const claim = tokens && readAccessToken(bearer)
  if (tokens === undefined || claim === undefined || !isCurrent(claim, tokens.access)) return undefined
  // Where nothing tells of ended sessions at once, it is believed no longer than the cache cookie would be.
  const believed = cache !== undefined && (cache.revocations !== undefined || isCurrent(claim, cache.maxAge))
  const [marked, genuine] = await Promise.all([
    isMarked(config, claim.user.id),
    verifyAccessToken(secrets, app.origin, bearer),
  ])
  if (!genuine) return undefined
  if (believed && !marked) return { user: claim.user, session: claim.session }
  return asking(findTokenSession(config.db, claim.session.id, config.times))
}

/**
 * Finds out who is asking: from what is signed if that may be believed, else from the database. Undefined when
 * nobody is.
 * @throws BreakwaterError `dependency-unavailable` when it cannot be known
 */
export async function identify(
  config: AuthConfig,
  presented: Presented,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<Identification | undefined> {
  if (presented.bearer !== undefined) {
    const found = await fromBearer(config, presented.bearer)
    if (found === undefined || !('due' in found)) return found
    return { user: found.user, session: found.session, passwordHash: found.passwordHash }
  }
  const token = parseToken(presented.session)
  if (token === undefined) return undefined
  const cached = await fromCache(config, token, presented)
  if (cached !== undefined) return cached

  // Before the question, so that the answer is never taken for younger than it is.
  const askedAt = Date.now()
  const found = await asking(findSession(config.db, token, config.times))
  if (found === undefined) return undefined
  const { user, session, due, passwordHash } = found
  if (due) waitUntil(touchSession(config.db, session.id, config.times))
  if (config.cache === undefined) return { user, session, passwordHash }
  const cache = await sealIdentity(config.secrets, presented.session ?? '', { user, session }, askedAt)
  return { user, session, passwordHash, cache }
}
