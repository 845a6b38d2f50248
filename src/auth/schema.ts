import { type SQL, sql } from 'drizzle-orm'
import {
  bigint,
  check,
  index,
  integer,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { breakwater } from '../db/schema.ts'

const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })
const lower = (column: unknown): SQL => sql`lower(${column})`

/** People who can sign in. An application keeps its own profile beside it, keyed by `id`. */
export const users = breakwater.table(
  'users',
  {
    id: uuid().primaryKey(),
    /** Normalised: trimmed, NFC, lower case. */
    email: text().notNull(),
    /** PHC string. Null until the address is verified, or for someone who has no password. */
    passwordHash: text('password_hash'),
    emailVerifiedAt: at('email_verified_at'),
    /**
     * Sessions of an earlier generation are dead. Raising it ends them all at once, also one that a sign-in
     * commits while the statement that raises it is waiting, whose row that statement cannot see.
     */
    sessionGeneration: integer('session_generation').notNull().default(0),
    /** What somebody may do, in the application's own words. None has a space. */
    roles: text().array().notNull().default(sql`'{}'::text[]`),
    disabledAt: at('disabled_at'),
    createdAt: at('created_at').notNull().defaultNow(),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('users_email_key').on(lower(t.email)),
    // Finds accounts nobody ever confirmed, for pruning; holds only those.
    index('users_unverified_idx').on(t.createdAt).where(sql`${t.emailVerifiedAt} is null`),
  ],
)

/** One row for each signed-in device. A session that has ended has no row. */
export const sessions = breakwater.table(
  'sessions',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** SHA-256 of the secret half of the cookie or the refresh token, base64url. */
    secretHash: text('secret_hash').notNull(),
    /** The account's generation at sign-in. */
    generation: integer().notNull(),
    /** How it travels: by cookie, or by a rotating refresh token and short access tokens. */
    transport: text({ enum: ['cookie', 'token'] })
      .notNull()
      .default('cookie'),
    /** How often the refresh token was rotated. */
    refreshCounter: integer('refresh_counter').notNull().default(0),
    refreshedAt: at('refreshed_at').notNull().defaultNow(),
    /** How the person proved who they are, such as `{password,totp}`. */
    methods: text().array().notNull().default(sql`'{password}'::text[]`),
    createdAt: at('created_at').notNull().defaultNow(),
    /** When the person last proved who they are. */
    authenticatedAt: at('authenticated_at').notNull().defaultNow(),
    /** Written at most once an hour. */
    lastUsedAt: at('last_used_at').notNull().defaultNow(),
    /** The absolute end, whatever the use. */
    expiresAt: at('expires_at').notNull(),
    /** Such as `Firefox on Windows`. */
    device: text(),
    country: text(),
    city: text(),
  },
  (t) => [
    index('sessions_user_id_idx').on(t.userId, t.lastUsedAt),
    index('sessions_expires_at_idx').on(t.expiresAt),
    index('sessions_last_used_at_idx').on(t.lastUsedAt),
  ],
)

/** Secrets that travel by mail. Single use: using one deletes its row. */
export const verificationTokens = breakwater.table(
  'verification_tokens',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    purpose: text({ enum: ['verify-mail', 'reset-password', 'change-mail', 'mail-changed'] }).notNull(),
    /** SHA-256 of the token's secret half, base64url. */
    secretHash: text('secret_hash').notNull(),
    /** The password chosen at this sign-up; it becomes the account's when this very token comes back. */
    passwordHash: text('password_hash'),
    /** The address it goes to, where that is not the account's: the new one before a change, the old one after. */
    email: text(),
    expiresAt: at('expires_at').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [
    index('verification_tokens_user_id_idx').on(t.userId),
    index('verification_tokens_expires_at_idx').on(t.expiresAt),
    check(
      'verification_tokens_purpose_check',
      sql`${t.purpose} in ('verify-mail', 'reset-password', 'change-mail', 'mail-changed')`,
    ),
  ],
)

/** Authenticator apps (RFC 6238), one an account. */
export const totpFactors = breakwater.table('totp_factors', {
  userId: uuid('user_id')
    .primaryKey()
    .references(() => users.id, { onDelete: 'cascade' }),
  /** The shared secret, encrypted under the newest of the application's secrets: `<key id>.<nonce>.<ciphertext>`. */
  sealedSecret: text('sealed_secret').notNull(),
  /** Null until a first code has proved that the app has the secret. */
  confirmedAt: at('confirmed_at'),
  /** The time step of the latest code used; none is taken at or before it. */
  lastStep: bigint('last_step', { mode: 'number' }).notNull().default(0),
  createdAt: at('created_at').notNull().defaultNow(),
})

/** Codes for the day the authenticator is lost. Single use: using one deletes its row. */
export const recoveryCodes = breakwater.table(
  'recovery_codes',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** SHA-256, base64url: a code has 125 random bits. */
    codeHash: text('code_hash').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.userId, t.codeHash] })],
)

/** Keys for programs that act for somebody. One that was revoked stays for a while, so that its owner sees it. */
export const apiKeys = breakwater.table(
  'api_keys',
  {
    id: uuid().primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** What its owner calls it. */
    name: text().notNull(),
    /** How it begins, to tell one from another in a list, such as `bwk_3fZ9`. */
    start: text().notNull(),
    /** SHA-256 of the whole key, base64url: 256 random bits need no slow hash. */
    keyHash: text('key_hash').notNull(),
    /** What it may do, in the application's own words. None has a space. */
    scopes: text().array().notNull().default(sql`'{}'::text[]`),
    createdAt: at('created_at').notNull().defaultNow(),
    /** Written at most once an hour; null until it is first used. */
    lastUsedAt: at('last_used_at'),
    /** Null when it does not end by itself. */
    expiresAt: at('expires_at'),
    revokedAt: at('revoked_at'),
  },
  (t) => [
    uniqueIndex('api_keys_key_hash_key').on(t.keyHash),
    index('api_keys_user_id_idx').on(t.userId, t.createdAt),
    // When it ended, by whatever came first: for pruning.
    index('api_keys_ended_at_idx').on(sql`least(${t.revokedAt}, ${t.expiresAt})`),
  ],
)

/**
 * What happened to accounts (ASVS 16.3.1). Only ever added to. `user_id` has no foreign key on purpose: the
 * record outlives the account.
 */
export const authEvents = breakwater.table(
  'auth_events',
  {
    id: uuid().primaryKey(),
    type: text().notNull(),
    /** Null when nobody by that name exists. */
    userId: uuid('user_id'),
    sessionId: uuid('session_id'),
    address: text(),
    device: text(),
    country: text(),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [
    index('auth_events_user_id_idx').on(t.userId, t.createdAt),
    index('auth_events_created_at_idx').on(t.createdAt),
  ],
)
