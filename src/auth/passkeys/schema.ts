import { sql } from 'drizzle-orm'
import { bigint, boolean, index, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { breakwater } from '../../db/schema.ts'
import { users } from '../schema.ts'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })

/** Passkeys: discoverable WebAuthn credentials, any number an account. None of it is a secret. */
export const passkeys = breakwater.table(
  'passkeys',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** The authenticator's name for it, base64url. */
    credentialId: text('credential_id').notNull(),
    /** COSE_Key (RFC 9052), base64url. */
    publicKey: text('public_key').notNull(),
    /** The signature counter of its latest use; authenticators that keep passkeys in step send 0 forever. */
    counter: bigint({ mode: 'number' }).notNull().default(0),
    /** How the authenticator is reached, such as `{internal,hybrid}`; handed back to browsers as a hint. */
    transports: text().array().notNull().default(sql`'{}'::text[]`),
    /** Whether it may be copied to the owner's other devices. Fixed when it is made. */
    backupEligible: boolean('backup_eligible').notNull(),
    /** Whether it has been. */
    backedUp: boolean('backed_up').notNull(),
    /** The model of authenticator, as a UUID; all zeros where it does not say. */
    aaguid: uuid().notNull(),
    /** What its owner calls it. */
    name: text().notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
    lastUsedAt: at('last_used_at'),
  },
  (t) => [
    uniqueIndex('passkeys_credential_id_key').on(t.credentialId),
    index('passkeys_user_id_idx').on(t.userId),
  ],
)

/** Challenges that were answered, until they would have expired: each is answered once. */
export const spentChallenges = breakwater.table(
  'spent_challenges',
  {
    id: uuid().primaryKey(),
    expiresAt: at('expires_at').notNull(),
  },
  (t) => [index('spent_challenges_expires_at_idx').on(t.expiresAt)],
)
