import { sql } from 'drizzle-orm'
import { uuidv7 } from '../../core/index.ts'
import { changeAccount } from '../account-change.ts'
import type { AuthConfig } from '../config.ts'
import { many, one, wordList } from '../database.ts'
import { freshCodes } from '../factors.ts'
import type { Identification } from '../identity.ts'
import { notify } from '../mailing.ts'
import type { SignedIn } from '../sign-in.ts'
import { spending } from '../spent.ts'
import { isUuid } from '../token.ts'
import type { Visitor } from '../visitor.ts'
import { answered } from './ceremony.ts'
import { CHALLENGE_MS, makeChallenge } from './challenges.ts'
import { ALGORITHMS } from './cose-key.ts'
import { conflict, noSuchPasskey, staleChallenge, unusable } from './errors.ts'
import type { PasskeyConfig } from './options.ts'
import {
  type CredentialDescriptor,
  descriptors,
  PASSKEY_COLUMNS,
  type Passkey,
  passkeyOf,
  userHandle,
} from './stored.ts'
import type { NewCredential, RegistrationResponse } from './webauthn.ts'

/** What a browser is asked to make: `PublicKeyCredential.parseCreationOptionsFromJSON()` reads it. */
export interface CreationOptions {
  readonly challenge: string
  readonly rp: { readonly id: string; readonly name: string }
  readonly user: { readonly id: string; readonly name: string; readonly displayName: string }
  readonly pubKeyCredParams: readonly { readonly type: 'public-key'; readonly alg: number }[]
  /** Milliseconds. */
  readonly timeout: number
  /** Those that there are: an authenticator that has one makes no second. */
  readonly excludeCredentials: readonly CredentialDescriptor[]
  readonly authenticatorSelection: {
    readonly residentKey: 'required'
    readonly requireResidentKey: true
    readonly userVerification: 'required'
  }
  readonly attestation: 'none'
}

const useOf = ({ user, session }: Identification) =>
  ({ purpose: 'register', boundTo: `${user.id}\n${session.id}` }) as const

const full = () => conflict('There are as many passkeys as there may be. Remove one first.')

/**
 * Begins to add a passkey.
 * @throws BreakwaterError `conflict` when there are as many as there may be
 */
export async function creationOptions(
  config: AuthConfig,
  { rpId, rpName, perUser }: PasskeyConfig,
  identity: Identification,
): Promise<CreationOptions> {
  const { id, email } = identity.user
  const excludeCredentials = await descriptors(config, id)
  if (excludeCredentials.length >= perUser) throw full()
  return {
    challenge: await makeChallenge(config.secrets, useOf(identity)),
    rp: { id: rpId, name: rpName },
    user: { id: userHandle(id), name: email, displayName: email },
    pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
    timeout: CHALLENGE_MS,
    excludeCredentials,
    authenticatorSelection: {
      residentKey: 'required',
      requireResidentKey: true,
      userVerification: 'required',
    },
    attestation: 'none',
  }
}

/** A sign-in after a passkey was added. */
export interface PasskeyAdded extends SignedIn {
  readonly passkey: Passkey
  /** With the first second factor of an account, once: for the day the authenticator is lost. */
  readonly recoveryCodes?: string[]
}

/**
 * Adds a passkey. Every other session ends, and the owner is told.
 * @throws BreakwaterError `invalid-token` (the challenge), `validation-failed`, `conflict`
 */
export async function register(
  config: AuthConfig,
  passkeys: PasskeyConfig,
  identity: Identification,
  input: { readonly credential: RegistrationResponse; readonly name: string | undefined },
  visitor: Visitor,
): Promise<PasskeyAdded> {
  const { challenge, expected } = await answered(config, passkeys, useOf(identity), input.credential)
  let made: NewCredential
  try {
    made = await passkeys.verifier.registration(input.credential, expected)
  } catch {
    throw unusable()
  }
  const userId = identity.user.id
  const row = await one(
    config.db,
    sql`select (select count(*)::int from breakwater.passkeys where user_id = ${userId}::uuid) as count,
      exists (select from breakwater.passkeys where credential_id = ${made.credentialId}::text) as known,
      exists (select from breakwater.totp_factors where user_id = ${userId}::uuid and confirmed_at is not null) as totp`,
  )
  const count = Number(row?.['count'])
  if (row?.['known'] === true) throw conflict('This passkey is known already.')
  if (count >= passkeys.perUser) throw full()
  const codes = count === 0 && row?.['totp'] !== true ? await freshCodes(userId) : undefined

  const id = uuidv7()
  const name = input.name ?? visitor.device ?? 'Passkey'
  const change = {
    proof: spending(challenge.id, challenge.expiresAt),
    parts: [
      [
        'passkey',
        sql`insert into breakwater.passkeys
            (id, user_id, credential_id, public_key, counter, transports, backup_eligible, backed_up, aaguid, name)
          select ${id}::uuid, u.id, ${made.credentialId}::text, ${made.publicKey}::text, ${made.counter}::bigint,
            ${wordList(made.transports)}, ${made.backupEligible}::boolean, ${made.backedUp}::boolean,
            ${made.aaguid}::uuid, ${name}::text from u`,
      ],
      ...(codes?.parts ?? []),
    ],
    methods: [...new Set([...identity.session.methods, 'passkey'])],
    event: 'passkey-added',
  } as const
  const done = await changeAccount(config, identity, change, visitor)
  if (done === undefined) throw staleChallenge()
  notify(config, visitor, { kind: 'passkey-added', userId, noticeId: done.session.id })
  const { backedUp, aaguid, transports } = made
  const { createdAt } = done.session
  return {
    ...done,
    passkey: { id, name, createdAt, lastUsedAt: undefined, backedUp, aaguid, transports },
    ...(codes && { recoveryCodes: codes.codes }),
  }
}

/** Somebody's passkeys, the oldest first. */
export async function listPasskeys(config: AuthConfig, userId: string): Promise<Passkey[]> {
  const rows = await many(
    config.db,
    sql`select ${PASSKEY_COLUMNS} from breakwater.passkeys p where p.user_id = ${userId}::uuid
      order by p.created_at, p.id limit 100`,
  )
  return rows.map(passkeyOf)
}

/** Calls a passkey something else. @throws BreakwaterError `not-found` */
export async function renamePasskey(
  config: AuthConfig,
  userId: string,
  id: string,
  name: string,
): Promise<Passkey> {
  const row = isUuid(id)
    ? await one(
        config.db,
        sql`update breakwater.passkeys p set name = ${name}::text
          where p.id = ${id}::uuid and p.user_id = ${userId}::uuid returning ${PASSKEY_COLUMNS}`,
      )
    : undefined
  if (row === undefined) throw noSuchPasskey()
  return passkeyOf(row)
}

/**
 * Removes a passkey. Every other session ends, and the owner is told.
 * @throws BreakwaterError `not-found`, `conflict` when there would be no way in left
 */
export async function removePasskey(
  config: AuthConfig,
  identity: Identification,
  id: string,
  visitor: Visitor,
): Promise<SignedIn> {
  if (!isUuid(id)) throw noSuchPasskey()
  const userId = identity.user.id
  const others = sql`select from breakwater.passkeys o where o.user_id = p.user_id and o.id <> p.id`
  const change = {
    proof: sql`delete from breakwater.passkeys p using held join breakwater.users a on a.id = held.id
      where p.id = ${id}::uuid and p.user_id = held.id
        and (a.password_hash is not null or exists (${others})
          or exists (select from breakwater.identities i where i.user_id = held.id))
      returning p.user_id`,
    parts: [
      [
        'old_codes',
        // They stand in for a second factor; without one they open nothing.
        sql`delete from breakwater.recovery_codes r using u where r.user_id = u.id
          and not exists (select from breakwater.passkeys o where o.user_id = u.id and o.id <> ${id}::uuid)
          and not exists (select from breakwater.totp_factors f where f.user_id = u.id and f.confirmed_at is not null)`,
      ],
    ],
    event: 'passkey-removed',
  } as const
  const done = await changeAccount(config, identity, change, visitor)
  if (done === undefined) {
    const list = await listPasskeys(config, userId)
    if (list.every((passkey) => passkey.id !== id)) throw noSuchPasskey()
    throw conflict('This is the last way into the account. Choose a password or add another passkey first.')
  }
  notify(config, visitor, { kind: 'passkey-removed', userId, noticeId: done.session.id })
  return done
}
