import { type SQL, sql } from 'drizzle-orm'
import type { AuthConfig } from './config.ts'
import { newCredential, type Transport } from './credential.ts'
import { type AuthEvent, interval, one, recording, textOrNull, wordList } from './database.ts'
import { markRevoked } from './revoking.ts'
import { SESSION_COLUMNS, type Session, sessionOf } from './session-store.ts'
import { hashSecret, type Token } from './token.ts'
import type { Visitor } from './visitor.ts'

/** A session that is to begin. */
export interface Opening {
  readonly userId: string
  readonly transport: Transport
  /** How the person has proved who they are. */
  readonly methods: readonly string[]
  /** What must still be true of the account, `u`, when its row is held. */
  readonly where: SQL
  /** A statement that notes, of the account `held`, what works once; returns a row the first time. See `spent.ts`. */
  readonly spend?: SQL
  /** A statement that spends a proof of the account `held` and returns a row when there was one to spend. */
  readonly proof?: SQL
  /** The session cookie the request came with: that session is replaced. */
  readonly replaces?: Token | undefined
  readonly event?: AuthEvent
  /** When the person proved it, in milliseconds since the epoch, where that was earlier. Default: now. */
  readonly authenticatedAt?: number | undefined
}

/** A session that has begun. */
export interface Opened {
  readonly session: Session
  /** The value of the cookie, or the refresh token. */
  readonly text: string
}

/**
 * Begins a session, in one statement that holds the account's row: had the password been changed since it was
 * checked, there would be none. Also ends the session it replaces, whosever that is, and the least recently used
 * beyond the cap. Undefined when something is no longer true.
 */
export async function openSession(
  config: AuthConfig,
  opening: Opening,
  visitor: Visitor,
): Promise<Opened | undefined> {
  const { replaces, spend, proof, methods, transport, event = 'signed-in' } = opening
  const credential = await newCredential(config.secrets, transport)
  const replaced = sql`${replaces?.id ?? null}::uuid`
  const replacedHash = sql`${replaces === undefined ? null : await hashSecret(replaces.secret)}::text`
  const { authenticatedAt } = opening
  const provedAt =
    authenticatedAt === undefined
      ? sql`now()`
      : sql`least(now(), to_timestamp(${authenticatedAt / 1000}::float8))`
  const row = await one(
    config.db,
    sql`with held as (
        select id, session_generation from breakwater.users u
        where id = ${opening.userId}::uuid and disabled_at is null and email_verified_at is not null
          and ${opening.where}
        for no key update
      ), ${spend === undefined ? sql`` : sql`spent as (${spend}),`}
      ${proof === undefined ? sql`` : sql`proof as (${proof}),`} u as (
        select * from held where true ${spend === undefined ? sql`` : sql`and exists (select from spent)`}
          ${proof === undefined ? sql`` : sql`and exists (select from proof)`}
      ), doomed as (
        (select id from breakwater.sessions where user_id in (select id from u) and id is distinct from ${replaced}
          order by last_used_at desc, id desc offset ${config.perUser - 1}::int)
        union all
        select id from breakwater.sessions
        where id = ${replaced} and secret_hash = ${replacedHash} and exists (select from u)
      ), gone as (
        delete from breakwater.sessions s using doomed where s.id = doomed.id
        returning s.user_id
      ), s as (
        insert into breakwater.sessions
          (id, user_id, secret_hash, generation, expires_at, authenticated_at, device, country, city, transport, methods)
        select ${credential.id}::uuid, id, ${credential.hash}::text, session_generation,
          now() + ${interval(config.times.absolute)}, ${provedAt},
          ${visitor.device}::text, ${visitor.country}::text, ${visitor.city}::text,
          ${transport}::text, ${wordList(methods)}
        from u returning *
      ), event as (${recording(event, visitor, sql`user_id, id from s`)})
      select ${SESSION_COLUMNS}, (select string_agg(distinct user_id::text, ',') from gone) as ended from s`,
  )
  if (row === undefined) return undefined
  // Before the reply: a copy of the cookie that was replaced must not outlive it.
  const ended = textOrNull(row, 'ended')?.split(',') ?? []
  await Promise.all(ended.map((userId) => markRevoked(config, userId, visitor)))
  return { session: sessionOf(row), text: credential.text }
}
