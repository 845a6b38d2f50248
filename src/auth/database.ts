import { type SQL, sql } from 'drizzle-orm'
import { uuidv7 } from '../core/index.ts'
import type { Visitor } from './visitor.ts'

/** A row of a reply, by column name. */
export type Row = Readonly<Record<string, unknown>>

/** Runs one statement: a Drizzle Postgres database, or a transaction of one. */
export interface Executor {
  execute(query: SQL): PromiseLike<{ readonly rows: readonly Row[] }>
}

/** The part of a Drizzle Postgres database that accounts and sessions need; `createDatabase` gives one. */
export interface AuthDatabase extends Executor {
  transaction<T>(work: (tx: Executor) => Promise<T>): Promise<T>
}

/** The only row of a reply, if there is one. */
export async function one(db: Executor, query: SQL): Promise<Row | undefined> {
  return (await db.execute(query)).rows[0]
}

/** All rows of a reply. */
export async function many(db: Executor, query: SQL): Promise<readonly Row[]> {
  return (await db.execute(query)).rows
}

/** A timestamp column as milliseconds since the epoch, so that no driver's idea of a date comes between. */
export const epoch = (column: string): SQL => sql.raw(`(extract(epoch from ${column}) * 1000)::float8`)

/** A length of time given in milliseconds. */
export const interval = (ms: number): SQL => sql`make_interval(secs => ${ms / 1000}::float8)`

/** Reads a column that cannot be null. */
export const text = (row: Row, name: string): string => String(row[name])
export const textOrNull = (row: Row, name: string): string | null =>
  typeof row[name] === 'string' ? (row[name] as string) : null
/** Reads a list that was selected by {@link words}. */
export const wordsOf = (row: Row, name: string): readonly string[] =>
  (textOrNull(row, name) ?? '').split(' ').filter((word) => word !== '')

/** A text[] column whose members have no spaces, as one text: no two drivers agree about arrays. */
export const words = (column: string): SQL => sql.raw(`array_to_string(${column}, ' ')`)

/** A list as a text[]. */
export const wordList = (list: readonly string[]): SQL => sql`string_to_array(${list.join(' ')}::text, ' ')`

export const date = (row: Row, name: string): Date => new Date(Number(row[name]))

/** What is recorded (ASVS 16.3.1). */
export type AuthEvent =
  | 'signed-up'
  | 'mail-verified'
  | 'signed-in'
  | 'sign-in-failed'
  | 'signed-out'
  | 'session-ended'
  | 'other-sessions-ended'
  | 'all-sessions-ended'
  | 'password-changed'
  | 'password-change-failed'
  | 'reset-requested'
  | 'password-reset'
  | 'user-disabled'
  | 'user-enabled'
  | 'roles-changed'
  | 'password-right-factor-due'
  | 'second-factor-failed'
  | 'second-factor-added'
  | 'second-factor-removed'
  | 'recovery-code-used'
  | 'recovery-codes-made'
  | 'passkey-added'
  | 'passkey-removed'
  | 'passkey-copied'
  | 'identity-linked'
  | 'identity-unlinked'
  | 'refresh-token-reused'
  | 'mail-change-requested'
  | 'mail-changed'
  | 'account-closed'
  | 'api-key-created'
  | 'api-key-revoked'

/**
 * An insert into the audit record, as one more part of the statement that does the thing, so that one never
 * exists without the other. `from` ends the select: the user's id, the session's id, and where they come from.
 * It must give at most one row.
 */
export function recording(event: AuthEvent, visitor: Visitor | undefined, from: SQL): SQL {
  return sql`insert into breakwater.auth_events (id, type, address, device, country, user_id, session_id)
    select ${uuidv7()}::uuid, ${event}::text, ${visitor?.address ?? null}::text, ${visitor?.device ?? null}::text,
      ${visitor?.country ?? null}::text, ${from}`
}
