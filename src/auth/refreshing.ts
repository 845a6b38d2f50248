import { sql } from 'drizzle-orm'
import { sealAccessToken } from './access-token.ts'
import type { AuthConfig } from './config.ts'
import { formatRefreshToken, hashRefreshSecret, parseRefreshToken } from './credential.ts'
import { interval, one, recording, text } from './database.ts'
import { invalidToken } from './errors.ts'
import { after } from './hooks.ts'
import { markRevoked } from './revoking.ts'
import { type Identity, live, OWNER_COLUMNS, ownerOf, SESSION_COLUMNS, sessionOf } from './session-store.ts'
import type { Visitor } from './visitor.ts'

/** What a native app keeps. */
export interface TokenPair {
  readonly accessToken: string
  readonly refreshToken: string
  readonly tokenType: 'Bearer'
  /** Seconds that the access token lasts. */
  readonly expiresIn: number
}

/** An access token beside a refresh token. */
export async function tokenPair(
  config: AuthConfig,
  identity: Identity,
  refreshToken: string,
  since: number,
): Promise<TokenPair> {
  return {
    accessToken: await sealAccessToken(config.secrets, config.app.origin, identity, since),
    refreshToken,
    tokenType: 'Bearer',
    expiresIn: Math.floor((config.tokens?.access ?? 0) / 1000),
  }
}

/**
 * Rotates a refresh token. The newest gives its successor. The one before it, within the grace period, gives the
 * newest unchanged: the reply to it was lost, or two tabs asked at once. Anything older is a copy in somebody
 * else's hands, and the session ends (RFC 9700, section 4.14.2).
 * @throws BreakwaterError `invalid-token`
 */
export async function refresh(
  config: AuthConfig,
  tokenText: string,
  visitor: Visitor,
): Promise<Identity & { readonly tokens: TokenPair }> {
  const { tokens } = config
  const token = tokens && (await parseRefreshToken(config.secrets, tokenText))
  if (tokens === undefined || token === undefined) throw invalidToken()
  const { id, secret, counter } = token
  const hash = await hashRefreshSecret(secret)
  const since = Date.now()
  const ours = sql`s.id = ${id}::uuid and s.secret_hash = ${hash}::text and s.transport = 'token'`
  // A statement that waited for another sees the clock of its own start, which may be before that rotation.
  const good = sql`(s.refresh_counter = ${counter}::int
    or (s.refresh_counter = ${counter + 1}::int and s.refreshed_at > now() - ${interval(tokens.grace)}))`
  // A second time for who was waiting when all sessions but this one were ended: the account he read is of before.
  for (let round = 0; round < 2; round++) {
    const row = await one(
      config.db,
      sql`update breakwater.sessions s set last_used_at = now(),
          refresh_counter = case when s.refresh_counter = ${counter}::int then ${counter + 1}::int else s.refresh_counter end,
          refreshed_at = case when s.refresh_counter = ${counter}::int then now() else s.refreshed_at end
        from breakwater.users u
        where u.id = s.user_id and ${ours} and ${live(config.times)} and ${good}
        returning ${SESSION_COLUMNS}, ${OWNER_COLUMNS}, s.refresh_counter`,
    )
    if (row !== undefined) {
      const identity = { user: ownerOf(row), session: sessionOf(row) }
      const next = { id, secret, counter: Number(row['refresh_counter']) }
      const refreshToken = await formatRefreshToken(config.secrets, next)
      return { ...identity, tokens: await tokenPair(config, identity, refreshToken, since) }
    }
    const reused = await one(
      config.db,
      sql`with gone as (
          delete from breakwater.sessions s where ${ours} and not ${good} returning s.id, s.user_id
        ), event as (${recording('refresh-token-reused', visitor, sql`user_id, id from gone`)})
        select user_id from gone`,
    )
    if (reused !== undefined) {
      const userId = text(reused, 'user_id')
      await markRevoked(config, userId, visitor)
      after(config, visitor, 'refresh-token-reused', userId, id)
      break
    }
  }
  throw invalidToken()
}

/** Ends the session of a refresh token, whichever of them it is. Says nothing about whether there was one (RFC 7009). */
export async function revokeRefreshToken(
  config: AuthConfig,
  tokenText: string,
  visitor: Visitor,
): Promise<void> {
  const token = await parseRefreshToken(config.secrets, tokenText)
  if (token === undefined) return
  const row = await one(
    config.db,
    sql`with gone as (
        delete from breakwater.sessions where id = ${token.id}::uuid
          and secret_hash = ${await hashRefreshSecret(token.secret)}::text
        returning id, user_id
      ), event as (${recording('signed-out', visitor, sql`user_id, id from gone`)})
      select user_id from gone`,
  )
  if (row === undefined) return
  await markRevoked(config, text(row, 'user_id'), visitor)
  after(config, visitor, 'signed-out', text(row, 'user_id'), token.id)
}
