import { sql } from 'drizzle-orm'
import { BreakwaterError, randomBytes, uuidv7 } from '../core/index.ts'
import { changeAccount } from './account-change.ts'
import { type CodeProof, codeProof, type Part } from './code-proof.ts'
import type { AuthConfig } from './config.ts'
import { one, type Row, text, textOrNull } from './database.ts'
import { invalidCode } from './errors.ts'
import type { Identification } from './identity.ts'
import { notify } from './mailing.ts'
import { newRecoveryCodes, recoveryCodeHash } from './recovery-codes.ts'
import { seal, unseal } from './sealing.ts'
import { asACodeTry } from './second-factor.ts'
import { recordFailure, type SignedIn } from './sign-in.ts'
import { matchingStep, TOTP_SECRET_BYTES, toBase32, totpUri } from './totp.ts'
import type { Visitor } from './visitor.ts'

/** A sign-in with fresh recovery codes, which are shown once. */
export interface WithRecoveryCodes extends SignedIn {
  readonly recoveryCodes: string[]
}

/** How a session says that a code was given. */
const SECOND: readonly string[] = ['totp', 'recovery-code']

const conflict = (detail: string) => new BreakwaterError('conflict', { status: 409, detail })
const noFactor = () => conflict('There is no such factor on this account.')

/** What second factors somebody has. */
export async function listFactors(
  config: AuthConfig,
  userId: string,
): Promise<{ totp: boolean; recoveryCodes: number }> {
  const row = await one(
    config.db,
    sql`select exists (select from breakwater.totp_factors where user_id = ${userId}::uuid and confirmed_at is not null) as totp,
      (select count(*)::int from breakwater.recovery_codes where user_id = ${userId}::uuid) as codes`,
  )
  return { totp: row?.['totp'] === true, recoveryCodes: Number(row?.['codes'] ?? 0) }
}

/**
 * Begins to add an authenticator app. Nothing changes until its first code has come back.
 * @throws BreakwaterError `conflict` when there is one already
 */
export async function enrolTotp(
  config: AuthConfig,
  { user }: Identification,
): Promise<{ secret: string; uri: string }> {
  const secret = randomBytes(TOTP_SECRET_BYTES)
  const row = await one(
    config.db,
    sql`insert into breakwater.totp_factors as f (user_id, sealed_secret)
      values (${user.id}::uuid, ${await seal(config.secrets, user.id, secret)}::text)
      on conflict (user_id) do update set sealed_secret = excluded.sealed_secret, created_at = now()
        where f.confirmed_at is null
      returning user_id`,
  )
  if (row === undefined) throw conflict('There is an authenticator app already. Remove it first.')
  return { secret: toBase32(secret), uri: totpUri(secret, user.email, config.app.name) }
}

async function storedFactor(config: AuthConfig, userId: string, confirmed: boolean): Promise<Row> {
  const row = await one(
    config.db,
    sql`select sealed_secret, last_step from breakwater.totp_factors
      where user_id = ${userId}::uuid and (confirmed_at is not null) = ${confirmed}::boolean`,
  )
  if (row === undefined) throw noFactor()
  return row
}

/** The app, or, beside passkeys alone, nothing but that there are recovery codes. */
async function anyFactor(config: AuthConfig, userId: string): Promise<Row> {
  const row = await one(
    config.db,
    sql`select f.sealed_secret, f.last_step from breakwater.users u
      left join breakwater.totp_factors f on f.user_id = u.id and f.confirmed_at is not null
      where u.id = ${userId}::uuid and (f.user_id is not null
        or exists (select from breakwater.passkeys p where p.user_id = u.id))`,
  )
  if (row === undefined) throw noFactor()
  return row
}

/** The parts of a statement that replace an account's recovery codes. */
export async function freshCodes(userId: string): Promise<{ codes: string[]; parts: Part[] }> {
  const codes = newRecoveryCodes()
  const hashes = await Promise.all(codes.map(recoveryCodeHash))
  const list = sql`string_to_array(${hashes.join(' ')}::text, ' ')`
  return {
    codes,
    parts: [
      ['old_codes', sql`delete from breakwater.recovery_codes r using u where r.user_id = u.id`],
      [
        'new_codes',
        sql`insert into breakwater.recovery_codes (user_id, code_hash)
          select ${userId}::uuid, hash from unnest(${list}) as hash where exists (select from u)`,
      ],
    ],
  }
}

/** Does something that a code is asked for, and counts wrong ones. */
async function byCode<T>(
  config: AuthConfig,
  { user }: Identification,
  device: string | undefined,
  visitor: Visitor,
  work: () => Promise<T | undefined>,
): Promise<T> {
  const who = { userId: user.id, email: user.email, device }
  return asACodeTry(config, who, visitor, async () => {
    const done = await work()
    if (done !== undefined) return done
    recordFailure(config, 'second-factor-failed', visitor, user.id)
    throw invalidCode()
  })
}

/** What a route knows when somebody sends a code. */
export interface CodeInput {
  readonly code: string
  readonly device?: string | undefined
}

/**
 * Adds the authenticator app whose first code this is. Every other session ends.
 * @throws BreakwaterError `invalid-credentials`, `conflict`, `quota-exceeded`
 */
export async function confirmTotp(
  config: AuthConfig,
  identity: Identification,
  { code, device }: CodeInput,
  visitor: Visitor,
): Promise<WithRecoveryCodes> {
  const userId = identity.user.id
  const sealed = text(await storedFactor(config, userId, false), 'sealed_secret')
  return byCode(config, identity, device, visitor, async () => {
    const secret = await unseal(config.secrets, userId, sealed)
    const step = secret && (await matchingStep(secret, code.replaceAll(' ', ''), { after: 0 }))
    if (step === undefined) return undefined
    const proof = sql`update breakwater.totp_factors f set confirmed_at = now(), last_step = ${step}::bigint
      from held where f.user_id = held.id and f.confirmed_at is null and f.sealed_secret = ${sealed}::text
      returning f.user_id`
    const { codes, parts } = await freshCodes(userId)
    const methods = [...new Set([...identity.session.methods, 'totp'])]
    const change = { proof, parts, methods, event: 'second-factor-added' } as const
    const done = await changeAccount(config, identity, change, visitor)
    if (done === undefined) return undefined
    notify(config, visitor, { kind: 'second-factor-added', userId, noticeId: uuidv7() })
    return { ...done, recoveryCodes: codes }
  })
}

async function withProof<T>(
  config: AuthConfig,
  identity: Identification,
  { code, device }: CodeInput,
  visitor: Visitor,
  stored: (config: AuthConfig, userId: string) => Promise<Row>,
  work: (proof: CodeProof) => Promise<T | undefined>,
): Promise<T> {
  const userId = identity.user.id
  const row = await stored(config, userId)
  const factor = { userId, sealed: textOrNull(row, 'sealed_secret'), lastStep: Number(row['last_step']) }
  return byCode(config, identity, device, visitor, async () => {
    const proof = await codeProof(config, factor, code)
    return proof && work(proof)
  })
}

/**
 * Removes the authenticator app and the recovery codes. Takes a code of either. Every other session ends.
 * @throws BreakwaterError `invalid-credentials`, `conflict`, `quota-exceeded`
 */
export async function removeTotp(
  config: AuthConfig,
  identity: Identification,
  input: CodeInput,
  visitor: Visitor,
): Promise<SignedIn> {
  const app = () => storedFactor(config, identity.user.id, true)
  return withProof(config, identity, input, visitor, app, async ({ remove }) => {
    const methods = identity.session.methods.filter((method) => !SECOND.includes(method))
    const change = { ...remove, methods, event: 'second-factor-removed' } as const
    const done = await changeAccount(config, identity, change, visitor)
    if (done) {
      notify(config, visitor, { kind: 'second-factor-removed', userId: identity.user.id, noticeId: uuidv7() })
    }
    return done
  })
}

/**
 * Makes new recovery codes; the old ones are dead. Takes a code of the app, or one of the old ones.
 * @throws BreakwaterError `invalid-credentials`, `conflict`, `quota-exceeded`
 */
export async function renewRecoveryCodes(
  config: AuthConfig,
  identity: Identification,
  input: CodeInput,
  visitor: Visitor,
): Promise<WithRecoveryCodes> {
  return withProof(config, identity, input, visitor, anyFactor, async ({ spend }) => {
    const { codes, parts } = await freshCodes(identity.user.id)
    const change = { proof: spend, parts, event: 'recovery-codes-made' } as const
    const done = await changeAccount(config, identity, change, visitor)
    return done && { ...done, recoveryCodes: codes }
  })
}
