import { sql } from 'drizzle-orm'
import { uuidv7 } from '../core/index.ts'
import type { AuthConfig } from './config.ts'
import { interval, one, recording, text } from './database.ts'
import { invalidToken, unauthenticated } from './errors.ts'
import { after, before } from './hooks.ts'
import type { Identification } from './identity.ts'
import { isGenuineMailToken, mailTokenHash } from './mail-token.ts'
import { notify, TOKEN_MINUTES, withMail } from './mailing.ts'
import { revoking } from './revoking.ts'
import { hashSecret, parseToken } from './token.ts'
import type { Visitor } from './visitor.ts'

const KEPT_DAYS = 7

/**
 * Asks for another mail address: the new one gets a link, the old one is told. Answers the same when the new one
 * has an account: its owner is told.
 */
export async function requestMailChange(
  config: AuthConfig,
  { user }: Identification,
  email: string,
  visitor: Visitor,
): Promise<void> {
  await before(config, { type: 'mail-change-requested', userId: user.id, email })
  await config.throttle.spend([
    { policy: 'reset', key: `address:${visitor.address}` },
    { policy: 'message', key: `mail:${email}` },
  ])
  const tokenId = uuidv7()
  const tokenHash = await mailTokenHash(config.secrets, 'change-mail', tokenId)
  await withMail(config, visitor, async (db) => {
    const row = await one(
      db,
      sql`with taken as (
          select id from breakwater.users where lower(email) = ${email}::text
        ), u as (
          select id from breakwater.users where id = ${user.id}::uuid and disabled_at is null
        ), earlier as (
          delete from breakwater.verification_tokens t using u where t.user_id = u.id and t.purpose = 'change-mail'
        ), token as (
          insert into breakwater.verification_tokens (id, user_id, purpose, secret_hash, email, expires_at)
          select ${tokenId}::uuid, id, 'change-mail', ${tokenHash}::text, ${email}::text,
            now() + ${interval(TOKEN_MINUTES['change-mail'] * 60_000)}
          from u where not exists (select from taken)
        ), event as (${recording('mail-change-requested', visitor, sql`id, null::uuid from u`)})
        select u.id, (select id from taken) as taken from u`,
    )
    if (row === undefined) throw unauthenticated()
    return typeof row['taken'] === 'string'
      ? { kind: 'account-exists', userId: text(row, 'taken'), noticeId: tokenId }
      : { kind: 'change-mail', tokenId }
  })
  after(config, visitor, 'mail-change-requested', user.id)
  notify(config, visitor, { kind: 'mail-change-requested', userId: user.id, noticeId: uuidv7() })
}

/**
 * Changes the mail address by the token that was sent to the new one. Single use. Every session ends, and links
 * that were sent to the old address are dead; the old address is told.
 * @throws BreakwaterError `invalid-token`
 */
export async function confirmMailChange(
  config: AuthConfig,
  tokenText: string,
  visitor: Visitor,
): Promise<void> {
  const token = parseToken(tokenText)
  if (token === undefined || !(await isGenuineMailToken(config.secrets, 'change-mail', token))) {
    throw invalidToken()
  }
  await config.throttle.spend([{ policy: 'reset', key: `address:${visitor.address}` }])
  const matches = sql`t.id = ${token.id}::uuid and t.purpose = 'change-mail' and t.expires_at > now()
    and t.secret_hash = ${await hashSecret(token.secret)}::text`
  const owner = await one(
    config.db,
    sql`select user_id from breakwater.verification_tokens t where ${matches}`,
  )
  if (owner === undefined) throw invalidToken()
  const userId = text(owner, 'user_id')
  const noticeId = uuidv7()
  const row = await revoking(config, userId, visitor, () =>
    one(
      config.db,
      sql`with held as (
          select id, email from breakwater.users where id = ${userId}::uuid and disabled_at is null for no key update
        ), token as (
          delete from breakwater.verification_tokens t using held where t.user_id = held.id and ${matches}
          returning t.user_id, t.email
        ), u as (
          update breakwater.users u set email = token.email, email_verified_at = now(),
            session_generation = u.session_generation + 1, updated_at = now()
          from token where u.id = token.user_id
            and not exists (select from breakwater.users x where lower(x.email) = token.email and x.id <> u.id)
          returning u.id
        ), gone as (
          delete from breakwater.sessions s using u where s.user_id = u.id
        ), links as (
          delete from breakwater.verification_tokens t using u where t.user_id = u.id and t.id <> ${token.id}::uuid
        ), notice as (
          insert into breakwater.verification_tokens (id, user_id, purpose, secret_hash, email, expires_at)
          select ${noticeId}::uuid, u.id, 'mail-changed', '', held.email, now() + ${interval(KEPT_DAYS * 86_400_000)}
          from u join held on held.id = u.id
        ), event as (${recording('mail-changed', visitor, sql`id, null::uuid from u`)})
        select id from u`,
    ),
  ).catch((error: unknown) => {
    // Somebody opened an account with that address at this very moment.
    if (isUniqueViolation(error)) return undefined
    throw error
  })
  if (row === undefined) throw invalidToken()
  after(config, visitor, 'mail-changed', userId)
  notify(config, visitor, { kind: 'mail-changed', tokenId: noticeId })
}

function isUniqueViolation(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if ((cause as { readonly code?: unknown }).code === '23505') return true
  }
  return false
}
