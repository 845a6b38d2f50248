import { sql } from 'drizzle-orm'
import type { AuthConfig } from './config.ts'
import { interval, one, recording } from './database.ts'
import { revoking } from './revoking.ts'

/** Disables an account and ends its sessions with it (ASVS 7.4.2). False when there is no such account. */
export async function disableUser(config: AuthConfig, userId: string): Promise<boolean> {
  const row = await revoking(config, userId, undefined, () =>
    one(
      config.db,
      sql`with u as (
          update breakwater.users set disabled_at = coalesce(disabled_at, now()),
            session_generation = session_generation + 1, updated_at = now()
          where id = ${userId}::uuid returning id
        ), gone as (
          delete from breakwater.sessions s using u where s.user_id = u.id
        ), links as (
          delete from breakwater.verification_tokens t using u where t.user_id = u.id
        ), event as (${recording('user-disabled', undefined, sql`id, null::uuid from u`)})
        select id from u`,
    ),
  )
  return row !== undefined
}

/** How long ended things are kept. */
export interface PruneOptions {
  /** Most rows of each table to delete. Default 1,000; call again while something was deleted. */
  readonly limit?: number
  /** Days that the audit record goes back. Default 400. */
  readonly eventDays?: number
  /** Days that an account may stay unverified. Default 7. */
  readonly unverifiedDays?: number
}

const DAY = 86_400_000

/**
 * Deletes sessions that have ended by themselves, dead tokens, accounts nobody confirmed, and old audit
 * records. For a cron. Gives the number of rows; locks nothing anybody else is holding.
 */
export async function prune(config: AuthConfig, options: PruneOptions = {}): Promise<number> {
  const { limit = 1000, eventDays = 400, unverifiedDays = 7 } = options
  const most = sql`limit ${limit}::int for update skip locked`
  const row = await one(
    config.db,
    sql`with a as (
        delete from breakwater.sessions where id in (
          select id from breakwater.sessions where expires_at < now() ${most})
        returning 1
      ), b as (
        delete from breakwater.sessions where id in (
          select id from breakwater.sessions
          where last_used_at < now() - ${interval(config.times.idle)} and expires_at >= now() ${most})
        returning 1
      ), c as (
        delete from breakwater.verification_tokens where id in (
          select t.id from breakwater.verification_tokens t join breakwater.users u on u.id = t.user_id
          where t.expires_at < now()
            and (u.email_verified_at is not null or u.created_at >= now() - ${interval(unverifiedDays * DAY)})
          limit ${limit}::int for update of t skip locked)
        returning 1
      ), d as (
        delete from breakwater.users where id in (
          select u.id from breakwater.users u
          where u.email_verified_at is null and u.created_at < now() - ${interval(unverifiedDays * DAY)}
            and not exists (select from breakwater.verification_tokens t where t.user_id = u.id and t.expires_at >= now())
          limit ${limit}::int for update of u skip locked)
        returning 1
      ), e as (
        delete from breakwater.auth_events where id in (
          select id from breakwater.auth_events where created_at < now() - ${interval(eventDays * DAY)} ${most})
        returning 1
      )
      select (select count(*) from a)::int + (select count(*) from b)::int + (select count(*) from c)::int
        + (select count(*) from d)::int + (select count(*) from e)::int as deleted`,
  )
  return Number(row?.['deleted'] ?? 0)
}
