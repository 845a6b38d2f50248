import { sql } from 'drizzle-orm'
import { isBreakwaterError, uuidv7 } from '../core/index.ts'
import type { AuthConfig } from './config.ts'
import { asATry, credentialRequests } from './credentials.ts'
import { date, epoch, interval, one, type Row, recording, text, textOrNull } from './database.ts'
import { sealDevice } from './device-cookie.ts'
import { invalidCredentials } from './errors.ts'
import { markRevoked } from './revoking.ts'
import { type Identity, SESSION_COLUMNS, sessionOf } from './session-store.ts'
import { formatToken, hashSecret, randomSecret, type Token } from './token.ts'
import type { Visitor } from './visitor.ts'

/** A sign-in that worked. */
export interface SignedIn extends Identity {
  /** The value of the session cookie. */
  readonly token: string
  /** The value of the device cookie, when the device has none for this account. */
  readonly device?: string
}

/** What somebody signs in with. */
export interface SignInInput {
  readonly email: string
  readonly password: string
  /** The session cookie the request came with: that session is replaced. */
  readonly replaces?: Token | undefined
  /** The device cookie the request came with. */
  readonly device?: string | undefined
}

interface Account {
  readonly id: string
  readonly email: string
  readonly passwordHash: string | null
  readonly createdAt: Date
}

async function findAccount(config: AuthConfig, email: string): Promise<Account | undefined> {
  const row = await one(
    config.db,
    sql`select id, email, password_hash, ${epoch('created_at')} as created_at from breakwater.users
      where lower(email) = ${email}::text and disabled_at is null and email_verified_at is not null`,
  )
  if (row === undefined) return undefined
  return {
    id: text(row, 'id'),
    email: text(row, 'email'),
    passwordHash: textOrNull(row, 'password_hash'),
    createdAt: date(row, 'created_at'),
  }
}

/**
 * Makes the session, in one statement that holds the account's row: had the password been changed since it was
 * checked, there would be none. Also ends the session it replaces, whosever that is, and the least recently used
 * beyond the cap.
 */
async function insertSession(
  config: AuthConfig,
  account: Account,
  token: Token,
  replaces: Token | undefined,
  visitor: Visitor,
): Promise<Row | undefined> {
  const replaced = sql`${replaces?.id ?? null}::uuid`
  const replacedHash = sql`${replaces === undefined ? null : await hashSecret(replaces.secret)}::text`
  return one(
    config.db,
    sql`with u as (
        select id, session_generation from breakwater.users
        where id = ${account.id}::uuid and password_hash = ${account.passwordHash}::text
          and disabled_at is null and email_verified_at is not null
        for no key update
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
          (id, user_id, secret_hash, generation, expires_at, device, country, city)
        select ${token.id}::uuid, id, ${await hashSecret(token.secret)}::text, session_generation,
          now() + ${interval(config.times.absolute)},
          ${visitor.device}::text, ${visitor.country}::text, ${visitor.city}::text
        from u returning *
      ), event as (${recording('signed-in', visitor, sql`user_id, id from s`)})
      select ${SESSION_COLUMNS}, (select string_agg(distinct user_id::text, ',') from gone) as ended from s`,
  )
}

/** Raises an old hash to today's cost, now that the password is known. Leaves alone one that changed meanwhile. */
async function rehash(config: AuthConfig, account: Account, password: string): Promise<void> {
  let fresh: string
  try {
    fresh = await config.passwords.hash(password)
  } catch (error) {
    // There is no hurry: the next sign-in will do.
    if (isBreakwaterError(error) && error.code === 'overloaded') return
    throw error
  }
  await config.db.execute(
    sql`update breakwater.users set password_hash = ${fresh}::text, updated_at = now()
      where id = ${account.id}::uuid and password_hash = ${account.passwordHash}::text`,
  )
}

/**
 * Signs in. An unknown account costs the same work and gets the same answer as a wrong password.
 * @throws BreakwaterError `invalid-credentials`, `quota-exceeded`, `overloaded`
 */
export async function signIn(config: AuthConfig, input: SignInInput, visitor: Visitor): Promise<SignedIn> {
  const { requests, known } = await credentialRequests(config, input.email, input.device, visitor)
  const signedIn = await asATry(config, requests, visitor, () => attempt(config, input, visitor))
  return known ? signedIn : { ...signedIn, device: await sealDevice(config.secrets, input.email) }
}

async function attempt(config: AuthConfig, input: SignInInput, visitor: Visitor): Promise<SignedIn> {
  const { email, password, replaces } = input
  // Twice, because the stored hash may be replaced in between, by another sign-in that raised its cost.
  for (let round = 0; round < 2; round++) {
    const account = await findAccount(config, email)
    const verdict = await config.passwords.verify(account?.passwordHash ?? undefined, password)
    if (account === undefined || !verdict.ok) {
      const who = sql`${account?.id ?? null}::uuid, null::uuid`
      visitor.waitUntil(Promise.resolve(config.db.execute(recording('sign-in-failed', visitor, who))))
      throw invalidCredentials()
    }
    const token = { id: uuidv7(), secret: randomSecret() }
    const row = await insertSession(config, account, token, replaces, visitor)
    if (row === undefined) continue

    for (const userId of textOrNull(row, 'ended')?.split(',') ?? []) {
      visitor.waitUntil(markRevoked(config, userId, visitor))
    }
    if (verdict.rehash) visitor.waitUntil(rehash(config, account, password))
    return {
      user: { id: account.id, email: account.email, createdAt: account.createdAt },
      session: sessionOf(row),
      token: formatToken(token),
    }
  }
  throw invalidCredentials()
}
