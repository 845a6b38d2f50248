import { isBreakwaterError } from '../core/index.ts'
import { readAccessToken, verifyAccessToken } from './access-token.ts'
import type { AuthConfig } from './config.ts'
import { unavailable } from './errors.ts'
import { type Claim, identityOf, readClaim, sealIdentity, verifySeal } from './session-cache.ts'
import {
  type FoundSession,
  findSession,
  findTokenSession,
  type Identity,
  touchSession,
} from './session-store.ts'
import { parseToken } from './token.ts'

/** What a request says about who is asking. */
export interface Presented {
  readonly session: string | undefined
  readonly cache: string | undefined
  /** An access token. Where there is one, cookies do not count. */
  readonly bearer: string | undefined
  /** All cookies, as they came. */
  readonly cookies: string | undefined
  /** What the cache says, where its seal was found genuine for this very session before. */
  readonly claim?: Claim
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
function isCurrent(claim: Claim, maxAge: number): boolean {
  const now = Date.now()
  const age = now - claim.issuedAt
  return age >= -CLOCK_SKEW && age < maxAge && claim.expires > now
}

/** Whether a person's sessions may have been ended lately. */
function isMarked(config: AuthConfig, userId: string): Promise<boolean> | false {
  return config.cache?.revocations?.marked(userId).catch(() => true) ?? false
}

/** What the cookies claim, if it is of this moment. Whether that is genuine is not known where they carry no `claim`. */
function cookieClaim({ cache }: AuthConfig, presented: Presented): Claim | undefined {
  const claim = presented.claim ?? (cache && readClaim(presented.cache))
  if (cache === undefined || claim === undefined || !isCurrent(claim, cache.maxAge)) return undefined
  return presented.claim ?? (claim.id === parseToken(presented.session)?.id ? claim : undefined)
}

/** Whether what the cookies claim is genuine. A seal that was found so is not computed again for the same cookies. */
function isGenuine(config: AuthConfig, presented: Presented, claim: Claim): Promise<boolean> | true {
  return presented.claim !== undefined || proves(config, presented, claim)
}

async function proves(config: AuthConfig, presented: Presented, claim: Claim): Promise<boolean> {
  const { session = '', cache = '', cookies } = presented
  const genuine = await verifySeal(config.secrets, session, cache)
  if (genuine && cookies !== undefined) config.genuine.set(cookies, { ...presented, claim })
  return genuine
}

async function fromCache(config: AuthConfig, presented: Presented): Promise<Identity | undefined> {
  const claim = cookieClaim(config, presented)
  if (claim === undefined) return undefined
  // First, and before anything is awaited: it travels in one request with what a limiter asks in this tick.
  // Who is asked about is not proven yet, which costs a forger a request and gives nothing.
  const marked = isMarked(config, claim.userId)
  // What is known already is not waited for: each wait is a turn of the microtask queue for the whole request.
  const genuine = isGenuine(config, presented, claim)
  if (!(genuine === true || (await genuine))) return undefined
  return marked === false || !(await marked) ? identityOf(claim) : undefined
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
    isMarked(config, claim.userId),
    verifyAccessToken(secrets, app.origin, bearer),
  ])
  if (!genuine) return undefined
  if (believed && !marked) return identityOf(claim)
  return asking(findTokenSession(config.db, claim.id, config.times))
}

/**
 * Who is asking by what is signed alone, where nobody needs to be asked for it; else undefined. Whether the session was ended
 * a moment ago is not known: for statements that make sure of that themselves.
 */
export async function claimed(config: AuthConfig, presented: Presented): Promise<Identity | undefined> {
  const { tokens, secrets, app } = config
  const { bearer } = presented
  if (bearer !== undefined) {
    const claim = tokens && readAccessToken(bearer)
    if (tokens === undefined || claim === undefined || !isCurrent(claim, tokens.access)) return undefined
    return (await verifyAccessToken(secrets, app.origin, bearer)) ? identityOf(claim) : undefined
  }
  const claim = cookieClaim(config, presented)
  return claim && (await isGenuine(config, presented, claim)) ? identityOf(claim) : undefined
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
  if (presented.session === undefined) return undefined
  const cached = await fromCache(config, presented)
  if (cached !== undefined) return cached
  const token = parseToken(presented.session)
  if (token === undefined) return undefined

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
