import { type SQL, sql } from 'drizzle-orm'
import type { LimitRequest } from '../core/index.ts'
import type { AuthConfig } from './config.ts'
import { type AuthDatabase, one, recording, text } from './database.ts'
import { unauthenticated } from './errors.ts'
import { markRevoked } from './revoking.ts'
import { live, type Session } from './session-store.ts'
import { hashSecret, type Token } from './token.ts'
import type { Visitor } from './visitor.ts'

/**
 * Asks the limiter, and marks a person whose sessions are about to be ended, in one tick, so that both travel as one
 * request. The mark may come first: it only makes the database be asked, and outlives every cookie made from an answer
 * given before, as long as the sessions end within a minute.
 * @throws BreakwaterError `quota-exceeded`
 */
export async function announceEnd(
  config: AuthConfig,
  userId: string | undefined,
  visitor: Visitor,
  requests: readonly LimitRequest[] = [],
): Promise<void> {
  const asked = config.throttle.spend(requests)
  const marked = userId === undefined ? undefined : markRevoked(config, userId, visitor)
  // Neither may be left alone when the other fails.
  const [decision] = await Promise.allSettled([asked, marked])
  if (decision.status === 'rejected') throw decision.reason
}

/** Who ends sessions. An administrator is nobody here. */
export interface Ender {
  readonly visitor: Visitor
  /** The session that asks: the statement makes sure that it is still live. */
  readonly session?: Session
}

const isLive = (config: AuthConfig, ender: Ender | undefined): SQL =>
  ender?.session === undefined
    ? sql`true`
    : sql`exists (select from breakwater.sessions s join breakwater.users u on u.id = s.user_id
        where s.id = ${ender.session.id}::uuid and ${live(config.times)})`

/**
 * Ends one session of a person. False when there is none by that id.
 * @throws BreakwaterError `unauthenticated` when the session that asks has ended itself
 */
export async function deleteSession(
  config: AuthConfig,
  userId: string,
  id: string,
  ender?: Ender,
): Promise<boolean> {
  const row = await one(
    config.db,
    sql`with asker as (
        select where ${isLive(config, ender)}
      ), gone as (
        delete from breakwater.sessions where id = ${id}::uuid and user_id = ${userId}::uuid
          and exists (select from asker)
        returning id, user_id
      ), event as (${recording('session-ended', ender?.visitor, sql`user_id, id from gone`)})
      select (select id from gone) as id from asker`,
  )
  if (row === undefined) throw unauthenticated()
  return typeof row['id'] === 'string'
}

/** Ends the session of a cookie: signing out. Gives the person's id. */
export async function deleteSessionByToken(
  db: AuthDatabase,
  token: Token,
  visitor: Visitor,
): Promise<string | undefined> {
  const row = await one(
    db,
    sql`with gone as (
        delete from breakwater.sessions where id = ${token.id}::uuid and secret_hash = ${await hashSecret(token.secret)}::text
        returning id, user_id
      ), event as (${recording('signed-out', visitor, sql`user_id, id from gone`)})
      select user_id from gone`,
  )
  return row && text(row, 'user_id')
}

/**
 * Ends a person's sessions, all but the one that asks, if one does. Gives their number. The account's row comes
 * first, as in every statement that ends several sessions, so that two of them cannot wait for each other.
 * @throws BreakwaterError `unauthenticated` when the session that asks has ended itself
 */
export async function deleteSessions(config: AuthConfig, userId: string, ender?: Ender): Promise<number> {
  const event = ender?.session === undefined ? 'all-sessions-ended' : 'other-sessions-ended'
  const kept = sql`${ender?.session?.id ?? null}::uuid`
  const row = await one(
    config.db,
    sql`with u as (
        update breakwater.users set session_generation = session_generation + 1, updated_at = now()
        where id = ${userId}::uuid and ${isLive(config, ender)} returning id, session_generation
      ), kept as (
        update breakwater.sessions s set generation = u.session_generation from u
        where s.user_id = u.id and s.id = ${kept} and s.generation = u.session_generation - 1
      ), gone as (
        delete from breakwater.sessions s using u where s.user_id = u.id and s.id is distinct from ${kept}
        returning s.id
      ), event as (${recording(event, ender?.visitor, sql`id, ${kept} from u`)})
      select (select count(*) from gone)::int as ended from u`,
  )
  if (row === undefined && ender?.session !== undefined) throw unauthenticated()
  return Number(row?.['ended'] ?? 0)
}
