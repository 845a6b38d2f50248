import { type SQL, sql } from 'drizzle-orm'
import { toBase64Url } from '../../core/bytes.ts'
import type { AuthConfig } from '../config.ts'
import { date, epoch, many, one, type Row, text, words, wordsOf } from '../database.ts'
import { ACCOUNT_COLUMNS, type Account, accountOf } from '../sign-in.ts'
import type { OpenedChallenge } from './challenges.ts'

/** A passkey, as its owner sees it. */
export interface Passkey {
  readonly id: string
  readonly name: string
  readonly createdAt: Date
  /** Undefined when it was never used. */
  readonly lastUsedAt: Date | undefined
  /** Whether it is kept in step with the owner's other devices. */
  readonly backedUp: boolean
  /** The authenticator's model, as a UUID; all zeros where it does not say. */
  readonly aaguid: string
  readonly transports: readonly string[]
}

/** Columns of a {@link Passkey}, for a statement whose passkeys are called `p`. */
export const PASSKEY_COLUMNS: SQL = sql`p.id, p.name, ${epoch('p.created_at')} as created_at,
  ${epoch('p.last_used_at')} as last_used_at, p.backed_up, p.aaguid, ${words('p.transports')} as transports`

/** Reads {@link PASSKEY_COLUMNS}. */
export function passkeyOf(row: Row): Passkey {
  return {
    id: text(row, 'id'),
    name: text(row, 'name'),
    createdAt: date(row, 'created_at'),
    lastUsedAt: row['last_used_at'] === null ? undefined : date(row, 'last_used_at'),
    backedUp: row['backed_up'] === true,
    aaguid: text(row, 'aaguid'),
    transports: wordsOf(row, 'transports'),
  }
}

/** A credential as browsers are told of it. */
export interface CredentialDescriptor {
  readonly type: 'public-key'
  readonly id: string
  readonly transports: readonly string[]
}

/** What browsers are told of somebody's passkeys. */
export async function descriptors(config: AuthConfig, userId: string): Promise<CredentialDescriptor[]> {
  const rows = await many(
    config.db,
    sql`select credential_id, ${words('transports')} as transports from breakwater.passkeys
      where user_id = ${userId}::uuid order by created_at limit 100`,
  )
  return rows.map((row) => ({
    type: 'public-key',
    id: text(row, 'credential_id'),
    transports: wordsOf(row, 'transports'),
  }))
}

/** A passkey that is about to be used, and whose it is. */
export interface StoredPasskey {
  readonly id: string
  readonly credentialId: string
  readonly publicKey: string
  readonly counter: number
  readonly account: Account
  /** Whether the challenge was answered before. Read with the counter, so that a repeated request is told from a copy. */
  readonly spent: boolean
}

/** Finds a passkey by what its authenticator calls it. */
export async function findPasskey(
  config: AuthConfig,
  credentialId: string,
  challenge: OpenedChallenge,
): Promise<StoredPasskey | undefined> {
  const row = await one(
    config.db,
    sql`select ${ACCOUNT_COLUMNS}, p.id as passkey_id, p.public_key, p.counter,
        exists (select from breakwater.spent_challenges c where c.id = ${challenge.id}::uuid) as spent
      from breakwater.passkeys p join breakwater.users u on u.id = p.user_id
      left join breakwater.totp_factors f on f.user_id = u.id
      where p.credential_id = ${credentialId}::text and u.disabled_at is null and u.email_verified_at is not null`,
  )
  if (row === undefined) return undefined
  return {
    id: text(row, 'passkey_id'),
    credentialId,
    publicKey: text(row, 'public_key'),
    counter: Number(row['counter']),
    account: accountOf(row),
    spent: row['spent'] === true,
  }
}

/** What authenticators know a person by: the bytes of the account's id, which say nothing to anybody else. */
export function userHandle(userId: string): string {
  const hex = userId.replaceAll('-', '')
  return toBase64Url(
    Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)),
  )
}
