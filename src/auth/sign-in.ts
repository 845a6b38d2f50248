import { type SQL, sql } from 'drizzle-orm'
import { isBreakwaterError } from '../core/index.ts'
import { CHALLENGE_MS, sealChallenge } from './challenge.ts'
import type { AuthConfig } from './config.ts'
import type { Transport } from './credential.ts'
import { asATry, credentialRequests } from './credentials.ts'
import { date, epoch, one, type Row, recording, text, textOrNull, words, wordsOf } from './database.ts'
import { sealDevice } from './device-cookie.ts'
import { invalidCredentials } from './errors.ts'
import { after, before } from './hooks.ts'
import { notify } from './mailing.ts'
import { openSession } from './session-open.ts'
import type { Identity, User } from './session-store.ts'
import type { Token } from './token.ts'
import type { Visitor } from './visitor.ts'

/** A sign-in that worked. */
export interface SignedIn extends Identity {
  /** The value of the session cookie, or the refresh token. */
  readonly token: string
  /** The value of the device cookie, when the device has none for this account. */
  readonly device?: string
}

/** What a right password can be followed by. */
export type SecondFactor = 'passkey' | 'totp' | 'recovery-code'

/** A right password where a second factor is due. */
export interface SecondFactorDue {
  readonly challenge: string
  readonly methods: readonly SecondFactor[]
}

/** What somebody signs in with. */
export interface SignInInput {
  readonly email: string
  readonly password: string
  readonly transport: Transport
  /** The session cookie the request came with: that session is replaced. */
  readonly replaces?: Token | undefined
  /** The device cookie the request came with. */
  readonly device?: string | undefined
}

/** Somebody's account, as far as signing in needs it. */
export interface Account {
  readonly user: User
  readonly passwordHash: string | null
  readonly generation: number
  /** What a right password must be followed by; empty where it is enough. */
  readonly secondFactors: readonly SecondFactor[]
}

/** Columns of an {@link Account}, for a select whose accounts are `u` and whose factors are `f`. */
export const ACCOUNT_COLUMNS: SQL = sql`u.id, u.email, u.password_hash, ${epoch('u.created_at')} as created_at,
  ${words('u.roles')} as roles, u.session_generation as generation, f.confirmed_at is not null as totp,
  exists (select from breakwater.passkeys p where p.user_id = u.id) as passkey`

/** Reads {@link ACCOUNT_COLUMNS}. */
export function accountOf(row: Row): Account {
  return {
    user: {
      id: text(row, 'id'),
      email: text(row, 'email'),
      createdAt: date(row, 'created_at'),
      roles: wordsOf(row, 'roles'),
    },
    passwordHash: textOrNull(row, 'password_hash'),
    generation: Number(row['generation']),
    secondFactors: [
      ...(row['passkey'] === true ? (['passkey'] as const) : []),
      ...(row['totp'] === true ? (['totp'] as const) : []),
      ...(row['passkey'] === true || row['totp'] === true ? (['recovery-code'] as const) : []),
    ],
  }
}

async function findAccount(config: AuthConfig, email: string): Promise<Account | undefined> {
  const row = await one(
    config.db,
    sql`select ${ACCOUNT_COLUMNS} from breakwater.users u left join breakwater.totp_factors f on f.user_id = u.id
      where lower(u.email) = ${email}::text and u.disabled_at is null and u.email_verified_at is not null`,
  )
  return row && accountOf(row)
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
      where id = ${account.user.id}::uuid and password_hash = ${account.passwordHash}::text`,
  )
}

/** Writes down a failure, past the reply. */
export function recordFailure(
  config: AuthConfig,
  event: 'sign-in-failed' | 'second-factor-failed' | 'password-right-factor-due' | 'passkey-copied',
  visitor: Visitor,
  userId: string | undefined,
): void {
  const who = sql`${userId ?? null}::uuid, null::uuid`
  visitor.waitUntil(Promise.resolve(config.db.execute(recording(event, visitor, who))))
  after(config, visitor, event, userId)
}

/** What follows on every sign-in: the owner hears of a device that is new (ASVS 6.3.5), and it is known from now on. */
export async function welcome(
  config: AuthConfig,
  signedIn: SignedIn,
  known: boolean,
  visitor: Visitor,
): Promise<SignedIn> {
  const { user, session } = signedIn
  after(config, visitor, 'signed-in', user.id, session.id)
  if (known) return signedIn
  notify(config, visitor, { kind: 'new-device', userId: user.id, noticeId: session.id })
  return { ...signedIn, device: await sealDevice(config.secrets, user.email) }
}

/**
 * Signs in, or, where a second factor is due, says so. An unknown account costs the same work and gets the same
 * answer as a wrong password.
 * @throws BreakwaterError `invalid-credentials`, `quota-exceeded`, `overloaded`
 */
export async function signIn(
  config: AuthConfig,
  input: SignInInput,
  visitor: Visitor,
): Promise<SignedIn | SecondFactorDue> {
  const { requests, known } = await credentialRequests(config, input.email, input.device, visitor)
  const answer = await asATry(config, requests, visitor, () => attempt(config, input, visitor))
  return 'challenge' in answer ? answer : welcome(config, answer, known, visitor)
}

async function attempt(
  config: AuthConfig,
  input: SignInInput,
  visitor: Visitor,
): Promise<SignedIn | SecondFactorDue> {
  const { email, password, replaces, transport } = input
  // Twice, because the stored hash may be replaced in between, by another sign-in that raised its cost.
  for (let round = 0; round < 2; round++) {
    const account = await findAccount(config, email)
    const verdict = await config.passwords.verify(account?.passwordHash ?? undefined, password)
    if (account === undefined || !verdict.ok) {
      recordFailure(config, 'sign-in-failed', visitor, account?.user.id)
      throw invalidCredentials()
    }
    const { user, passwordHash, generation } = account
    await before(config, { type: 'signed-in', userId: user.id, email })
    if (account.secondFactors.length > 0) {
      recordFailure(config, 'password-right-factor-due', visitor, user.id)
      const expiresAt = Date.now() + CHALLENGE_MS
      const said = { userId: user.id, generation, transport, method: 'password', expiresAt }
      return { challenge: await sealChallenge(config.secrets, said), methods: account.secondFactors }
    }
    // Without a factor still: adding one since the account was read would have raised its generation.
    const where = sql`u.password_hash = ${passwordHash}::text and u.session_generation = ${generation}::int`
    const opening = { userId: user.id, transport, methods: ['password'], where, replaces }
    const opened = await openSession(config, opening, visitor)
    if (opened === undefined) continue
    if (verdict.rehash) visitor.later(() => rehash(config, account, password))
    return { user, session: opened.session, token: opened.text }
  }
  throw invalidCredentials()
}
