import { sql } from 'drizzle-orm'
import { type LimitRequest, uuidv7 } from '../core/index.ts'
import type { AuthConfig } from './config.ts'
import { interval, one, recording, text } from './database.ts'
import { invalidToken, weakPassword } from './errors.ts'
import { after, before } from './hooks.ts'
import { isGenuineMailToken, mailTokenHash } from './mail-token.ts'
import { TOKEN_MINUTES, withMail } from './mailing.ts'
import { passwordFault } from './password-policy.ts'
import { hashSecret, parseToken } from './token.ts'
import type { Visitor } from './visitor.ts'

/**
 * Refuses a password by the policy, and one that has leaked where that can be known.
 * @throws BreakwaterError `weak-password`
 */
export async function requireGoodPassword(
  config: AuthConfig,
  password: string,
  email: string,
  pointer: string,
): Promise<void> {
  const fault = passwordFault(password, {
    email,
    words: config.app.words,
    minLength: config.minPasswordLength,
  })
  if (fault !== undefined) throw weakPassword(fault, pointer)
  // Somebody else's outage must not keep people from choosing a password.
  if (await config.breached?.(password).catch(() => false)) throw weakPassword('breached', pointer)
}

/**
 * Opens an account that stays shut until its mail address is verified. Does the same, and answers the same, for
 * an address that has one: its owner is told by mail.
 *
 * The password waits in the token's row, not in the account's: whoever signs up with somebody else's address
 * does not get to choose the password that its owner's own link opens.
 */
export async function signUp(
  config: AuthConfig,
  input: { readonly email: string; readonly password: string },
  visitor: Visitor,
): Promise<void> {
  const { email, password } = input
  const requests: LimitRequest[] = [
    { policy: 'registration', key: `address:${visitor.address}` },
    { policy: 'message', key: `mail:${email}` },
  ]
  await requireGoodPassword(config, password, email, '/password')
  await before(config, { type: 'signed-up', email })
  await config.throttle.spend(requests)
  const passwordHash = await config.passwords.hash(password)
  const tokenId = uuidv7()
  const tokenHash = await mailTokenHash(config.secrets, 'verify-mail', tokenId)

  await withMail(config, visitor, async (db) => {
    // The update changes nothing: it makes the statement give, and hold, the row that is there already.
    const row = await one(
      db,
      sql`with u as (
          insert into breakwater.users as u (id, email) values (${uuidv7()}::uuid, ${email}::text)
          on conflict (lower(email)) do update set email = excluded.email
          returning u.id, u.email_verified_at
        ), token as (
          insert into breakwater.verification_tokens (id, user_id, purpose, secret_hash, password_hash, expires_at)
          select ${tokenId}::uuid, id, 'verify-mail', ${tokenHash}::text, ${passwordHash}::text,
            now() + ${interval(TOKEN_MINUTES['verify-mail'] * 60_000)}
          from u where email_verified_at is null
        ), event as (${recording('signed-up', visitor, sql`id, null::uuid from u where email_verified_at is null`)})
        select id, email_verified_at is not null as verified from u`,
    )
    if (row?.['verified'] !== true) {
      after(config, visitor, 'signed-up', row && text(row, 'id'))
      return { kind: 'verify-mail', tokenId }
    }
    return { kind: 'account-exists', userId: text(row, 'id'), noticeId: tokenId }
  })
}

/**
 * Verifies a mail address by the token that was sent there. Single use.
 * @throws BreakwaterError `invalid-token`
 */
export async function verifyMail(
  config: AuthConfig,
  tokenText: string,
  visitor: Visitor,
): Promise<{ readonly email: string }> {
  const token = parseToken(tokenText)
  if (token === undefined || !(await isGenuineMailToken(config.secrets, 'verify-mail', token)))
    throw invalidToken()
  await config.throttle.spend([{ policy: 'registration', key: `address:${visitor.address}` }])
  const row = await one(
    config.db,
    sql`with token as (
        delete from breakwater.verification_tokens
        where id = ${token.id}::uuid and purpose = 'verify-mail' and expires_at > now()
          and secret_hash = ${await hashSecret(token.secret)}::text
        returning user_id, password_hash
      ), u as (
        update breakwater.users u set
          password_hash = case when u.email_verified_at is null then coalesce(token.password_hash, u.password_hash)
            else u.password_hash end,
          email_verified_at = coalesce(u.email_verified_at, now()),
          updated_at = now()
        from token where u.id = token.user_id and u.disabled_at is null
        returning u.id, u.email
      ), event as (${recording('mail-verified', visitor, sql`id, null::uuid from u`)})
      select id, email from u`,
  )
  if (row === undefined) throw invalidToken()
  after(config, visitor, 'mail-verified', text(row, 'id'))
  return { email: text(row, 'email') }
}
