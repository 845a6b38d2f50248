import { sql } from 'drizzle-orm'
import type { AuthConfig } from '../config.ts'
import { date, epoch, interval, many, one, recording, text, textOrNull, wordList } from '../database.ts'
import { after } from '../hooks.ts'
import { revoking } from '../revoking.ts'
import { keyId, seal, unseal } from '../sealing.ts'

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
  if (row !== undefined) after(config, undefined, 'user-disabled', userId)
  return row !== undefined
}

/** Lets somebody in again. False when there is no such account. */
export async function enableUser(config: AuthConfig, userId: string): Promise<boolean> {
  const row = await one(
    config.db,
    sql`with u as (
        update breakwater.users set disabled_at = null, updated_at = now()
        where id = ${userId}::uuid returning id
      ), event as (${recording('user-enabled', undefined, sql`id, null::uuid from u`)})
      select id from u`,
  )
  if (row !== undefined) after(config, undefined, 'user-enabled', userId)
  return row !== undefined
}

/** Says what somebody may do. Works at once: what is signed is not believed until the database was asked again. */
export async function setRoles(
  config: AuthConfig,
  userId: string,
  roles: readonly string[],
): Promise<boolean> {
  for (const role of roles) {
    if (!/^\S{1,64}$/.test(role)) throw new TypeError('A role has 1 to 64 characters and no space')
  }
  const row = await revoking(config, userId, undefined, () =>
    one(
      config.db,
      sql`with u as (
          update breakwater.users set roles = ${wordList(roles)}, updated_at = now()
          where id = ${userId}::uuid returning id
        ), event as (${recording('roles-changed', undefined, sql`id, null::uuid from u`)})
        select id from u`,
    ),
  )
  if (row !== undefined) after(config, undefined, 'roles-changed', userId)
  return row !== undefined
}

/**
 * Takes the second factors, passkeys among them, off an account whose owner has lost them and the recovery codes as
 * well, and ends its sessions. Only for who has proved who they are as well as they did when the account was opened (ASVS 6.4.4).
 */
export async function removeSecondFactor(config: AuthConfig, userId: string): Promise<boolean> {
  const row = await revoking(config, userId, undefined, () =>
    one(
      config.db,
      sql`with u as (
          update breakwater.users set session_generation = session_generation + 1, updated_at = now()
          where id = ${userId}::uuid returning id
        ), factor as (
          delete from breakwater.totp_factors f using u where f.user_id = u.id returning f.user_id
        ), keys as (
          delete from breakwater.passkeys p using u where p.user_id = u.id returning p.user_id
        ), lost as (
          select user_id from factor union select user_id from keys
        ), codes as (
          delete from breakwater.recovery_codes r using u where r.user_id = u.id
        ), gone as (
          delete from breakwater.sessions s using u where s.user_id = u.id
        ), event as (${recording('second-factor-removed', undefined, sql`user_id, null::uuid from lost`)})
        select user_id from lost`,
    ),
  )
  if (row !== undefined) after(config, undefined, 'second-factor-removed', userId)
  return row !== undefined
}

/**
 * Encrypts again, under the newest secret, what an older one still opens. Run it until it gives 0 before a secret
 * is retired; authenticator apps under a retired one are lost.
 */
export async function reseal(config: AuthConfig, limit: number = 500): Promise<number> {
  const current = `${await keyId(config.secrets[0])}.%`
  const rows = await many(
    config.db,
    sql`select user_id, sealed_secret from breakwater.totp_factors
      where sealed_secret not like ${current}::text limit ${limit}::int`,
  )
  let count = 0
  for (const row of rows) {
    const [userId, old] = [text(row, 'user_id'), text(row, 'sealed_secret')]
    const plain = await unseal(config.secrets, userId, old)
    if (plain === undefined) continue
    await config.db.execute(
      sql`update breakwater.totp_factors set sealed_secret = ${await seal(config.secrets, userId, plain)}::text
        where user_id = ${userId}::uuid and sealed_secret = ${old}::text`,
    )
    count++
  }
  return count
}

/** One line of the audit record. */
export interface RecordedEvent {
  readonly type: string
  readonly at: Date
  readonly sessionId: string | null
  readonly address: string | null
  readonly device: string | null
  readonly country: string | null
}

/** What happened to an account, the latest first; a hundred at most. */
export async function listEvents(config: AuthConfig, userId: string): Promise<RecordedEvent[]> {
  const rows = await many(
    config.db,
    sql`select type, ${epoch('created_at')} as at, session_id, address, device, country from breakwater.auth_events
      where user_id = ${userId}::uuid order by created_at desc limit 100`,
  )
  return rows.map((row) => ({
    type: text(row, 'type'),
    at: date(row, 'at'),
    sessionId: textOrNull(row, 'session_id'),
    address: textOrNull(row, 'address'),
    device: textOrNull(row, 'device'),
    country: textOrNull(row, 'country'),
  }))
}

/** How long ended things are kept. */
export interface PruneOptions {
  /** Most rows of each table to delete. Default 1,000; call again while something was deleted. */
  readonly limit?: number
  /** Days that the audit record goes back. Default 400; 90 at least, since the database keeps that much against all. */
  readonly eventDays?: number
  /** Days that an account may stay unverified. Default 7. */
  readonly unverifiedDays?: number
  /** Days that an API key stays in its owner's list after its end. Default 90. */
  readonly endedKeyDays?: number
}

const DAY = 86_400_000

/**
 * Deletes sessions that have ended by themselves, dead tokens, answered challenges that have expired, accounts nobody
 * confirmed, API keys long ended, and old audit records. For a cron. Gives the number of rows; locks nothing anybody else is holding.
 */
export async function prune(config: AuthConfig, options: PruneOptions = {}): Promise<number> {
  const { limit = 1000, eventDays = 400, unverifiedDays = 7, endedKeyDays = 90 } = options
  if (eventDays < 90) throw new TypeError('prune: eventDays must be 90 at least')
  const most = sql`limit ${limit}::int for update skip locked`
  const row = await one(
    config.db,
    sql`with a as (
        delete from breakwater.sessions where id = any(array(
          select id from breakwater.sessions where expires_at < now() order by expires_at ${most}))
        returning 1
      ), b as (
        delete from breakwater.sessions where id = any(array(
          select id from breakwater.sessions
          where last_used_at < now() - ${interval(config.times.idle)} and expires_at >= now()
          order by last_used_at ${most}))
        returning 1
      ), c as (
        delete from breakwater.verification_tokens where id = any(array(
          select t.id from breakwater.verification_tokens t join breakwater.users u on u.id = t.user_id
          where t.expires_at < now()
            and (u.email_verified_at is not null or u.created_at >= now() - ${interval(unverifiedDays * DAY)})
          order by t.expires_at limit ${limit}::int for update of t skip locked))
        returning 1
      ), d as (
        delete from breakwater.users where id = any(array(
          select u.id from breakwater.users u
          where u.email_verified_at is null and u.created_at < now() - ${interval(unverifiedDays * DAY)}
            and not exists (select from breakwater.verification_tokens t where t.user_id = u.id and t.expires_at >= now())
          order by u.created_at limit ${limit}::int for update of u skip locked))
        returning 1
      ), e as (
        delete from breakwater.auth_events where id = any(array(
          select id from breakwater.auth_events where created_at < now() - ${interval(eventDays * DAY)}
          order by created_at ${most}))
        returning 1
      ), f as (
        delete from breakwater.api_keys where id = any(array(
          select id from breakwater.api_keys
          where least(revoked_at, expires_at) < now() - ${interval(endedKeyDays * DAY)}
          order by least(revoked_at, expires_at) ${most}))
        returning 1
      ), g as (
        delete from breakwater.spent_challenges where id = any(array(
          select id from breakwater.spent_challenges where expires_at < now() order by expires_at ${most}))
        returning 1
      )
      select (select count(*) from a)::int + (select count(*) from b)::int + (select count(*) from c)::int
        + (select count(*) from d)::int + (select count(*) from e)::int
        + (select count(*) from f)::int + (select count(*) from g)::int as deleted`,
  )
  return Number(row?.['deleted'] ?? 0)
}
