import { sql } from 'drizzle-orm'
import { uuidv7 } from '../core/index.ts'
import { changeAccount } from './account-change.ts'
import type { AuthConfig } from './config.ts'
import { asATry, credentialRequests } from './credentials.ts'
import { interval, one, recording, text, textOrNull } from './database.ts'
import { invalidCredentials, invalidToken, unauthenticated } from './errors.ts'
import { after, before } from './hooks.ts'
import type { Identification } from './identity.ts'
import { isGenuineMailToken, mailTokenHash } from './mail-token.ts'
import { notify, TOKEN_MINUTES, withMail } from './mailing.ts'
import { revoking } from './revoking.ts'
import { live, type Session } from './session-store.ts'
import type { SignedIn } from './sign-in.ts'
import { requireGoodPassword } from './sign-up.ts'
import { hashSecret, parseToken } from './token.ts'
import type { Visitor } from './visitor.ts'

async function storedPassword(config: AuthConfig, session: Session): Promise<string | null> {
  const row = await one(
    config.db,
    sql`select u.password_hash from breakwater.users u join breakwater.sessions s on s.user_id = u.id
      where s.id = ${session.id}::uuid and ${live(config.times)}`,
  )
  if (row === undefined) throw unauthenticated()
  return textOrNull(row, 'password_hash')
}

/**
 * Changes a password. In the statement that does it every session ends, and the one that asked gets a
 * successor, since it has just authenticated.
 * @throws BreakwaterError `invalid-credentials` (the current one is wrong), `weak-password`, `unauthenticated`
 */
export async function changePassword(
  config: AuthConfig,
  identity: Identification,
  input: {
    readonly currentPassword: string
    readonly newPassword: string
    readonly device?: string | undefined
  },
  visitor: Visitor,
): Promise<SignedIn> {
  const { user } = identity
  await requireGoodPassword(config, input.newPassword, user.email, '/newPassword')
  const { requests } = await credentialRequests(config, user.email, input.device, visitor)
  const work = () => replacePassword(config, identity, input, visitor)
  return asATry(config, requests, visitor, work, user.id)
}

async function replacePassword(
  config: AuthConfig,
  { user, session, passwordHash: known }: Identification,
  input: { readonly currentPassword: string; readonly newPassword: string },
  visitor: Visitor,
): Promise<SignedIn> {
  const stored = known === undefined ? await storedPassword(config, session) : known
  if (!(await config.passwords.verify(stored ?? undefined, input.currentPassword)).ok) {
    const who = sql`${user.id}::uuid, ${session.id}::uuid`
    visitor.waitUntil(Promise.resolve(config.db.execute(recording('password-change-failed', visitor, who))))
    after(config, visitor, 'password-change-failed', user.id, session.id)
    throw invalidCredentials()
  }
  await before(config, { type: 'password-changed', userId: user.id, email: user.email })
  const passwordHash = await config.passwords.hash(input.newPassword)
  const done = await changeAccount(
    config,
    { user, session },
    {
      set: sql`password_hash = ${passwordHash}::text`,
      where: sql`u.password_hash = ${stored}::text`,
      parts: [
        [
          'links',
          sql`delete from breakwater.verification_tokens t using u
            where t.user_id = u.id and t.purpose in ('reset-password', 'change-mail')`,
        ],
      ],
      event: 'password-changed',
      announced: true,
    },
    visitor,
  )
  // Somebody was faster: the password that was just checked is no longer the current one, or the session ended.
  if (done === undefined) throw invalidCredentials()
  notify(config, visitor, { kind: 'password-changed', userId: user.id, noticeId: done.session.id })
  return done
}

/** Sends a reset link, if there is such an account. Does the same work if there is none. */
export async function forgotPassword(config: AuthConfig, email: string, visitor: Visitor): Promise<void> {
  await config.throttle.spend([
    { policy: 'reset', key: `address:${visitor.address}` },
    { policy: 'message', key: `mail:${email}` },
  ])
  const tokenId = uuidv7()
  const tokenHash = await mailTokenHash(config.secrets, 'reset-password', tokenId)
  await withMail(config, visitor, async (db) => {
    await db.execute(
      sql`with u as (
          select id from breakwater.users where lower(email) = ${email}::text and disabled_at is null
        ), token as (
          insert into breakwater.verification_tokens (id, user_id, purpose, secret_hash, expires_at)
          select ${tokenId}::uuid, id, 'reset-password', ${tokenHash}::text,
            now() + ${interval(TOKEN_MINUTES['reset-password'] * 60_000)}
          from u
        )
        ${recording('reset-requested', visitor, sql`(select id from u), null::uuid`)}`,
    )
    after(config, visitor, 'reset-requested')
    return { kind: 'reset-password', tokenId }
  })
}

/**
 * Sets a new password by a mailed token. Single use; every session of the account ends with it. A password
 * that is refused does not spend the token.
 * @throws BreakwaterError `invalid-token`, `weak-password`
 */
export async function resetPassword(
  config: AuthConfig,
  input: { readonly token: string; readonly newPassword: string },
  visitor: Visitor,
): Promise<void> {
  const token = parseToken(input.token)
  if (token === undefined || !(await isGenuineMailToken(config.secrets, 'reset-password', token))) {
    throw invalidToken()
  }
  await config.throttle.spend([{ policy: 'reset', key: `address:${visitor.address}` }])
  const secretHash = await hashSecret(token.secret)
  const matches = sql`t.id = ${token.id}::uuid and t.purpose = 'reset-password' and t.expires_at > now()
    and t.secret_hash = ${secretHash}::text`
  const account = await one(
    config.db,
    sql`select u.id, u.email from breakwater.verification_tokens t join breakwater.users u on u.id = t.user_id
      where ${matches} and u.disabled_at is null`,
  )
  if (account === undefined) throw invalidToken()
  await requireGoodPassword(config, input.newPassword, text(account, 'email'), '/newPassword')
  const userId = text(account, 'id')
  const passwordHash = await config.passwords.hash(input.newPassword)
  const row = await revoking(config, userId, visitor, () =>
    one(
      config.db,
      // The account's row first: two links of one account, used at once, would otherwise wait for each other.
      sql`with held as (
          select id from breakwater.users where id = ${userId}::uuid and disabled_at is null for no key update
        ), token as (
          delete from breakwater.verification_tokens t using held where t.user_id = held.id and ${matches}
          returning t.user_id
        ), u as (
          update breakwater.users u set password_hash = ${passwordHash}::text,
            email_verified_at = coalesce(u.email_verified_at, now()),
            session_generation = u.session_generation + 1, updated_at = now()
          from token where u.id = token.user_id
          returning u.id
        ), gone as (
          delete from breakwater.sessions s using u where s.user_id = u.id
        ), links as (
          delete from breakwater.verification_tokens t using u
          where t.user_id = u.id and t.purpose in ('reset-password', 'change-mail') and t.id <> ${token.id}::uuid
        ), event as (${recording('password-reset', visitor, sql`id, null::uuid from u`)})
        select id from u`,
    ),
  )
  if (row === undefined) throw invalidToken()
  after(config, visitor, 'password-reset', userId)
  notify(config, visitor, { kind: 'password-changed', userId, noticeId: uuidv7() })
}
