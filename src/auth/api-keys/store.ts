import { type SQL, sql } from 'drizzle-orm'
import {
  type AuthDatabase,
  date,
  epoch,
  interval,
  many,
  one,
  type Row,
  recording,
  text,
  wordList,
  words,
  wordsOf,
} from '../database.ts'
import { OWNER_COLUMNS, ownerOf, type User } from '../session-store.ts'
import type { Visitor } from '../visitor.ts'

/** An API key, without the key. */
export interface ApiKey {
  readonly id: string
  readonly userId: string
  /** What its owner calls it. */
  readonly name: string
  /** How it begins, to tell one from another. */
  readonly start: string
  readonly scopes: readonly string[]
  readonly createdAt: Date
  /** To within an hour. Null until it is first used. */
  readonly lastUsedAt: Date | null
  /** Null when it does not end by itself. */
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
}

/** Whose key it is. */
export interface KeyIdentity {
  readonly user: User
  readonly apiKey: ApiKey
}

const HOUR = 3_600_000

const KEY_COLUMNS: SQL = sql`k.id, k.user_id, k.name, k.start, ${words('k.scopes')} as scopes,
  ${epoch('k.created_at')} as created_at, ${epoch('k.last_used_at')} as last_used_at,
  ${epoch('k.expires_at')} as expires_at, ${epoch('k.revoked_at')} as revoked_at`

const LIVE: SQL = sql`k.revoked_at is null and (k.expires_at is null or k.expires_at > now())`
const UNUSED_FOR_AN_HOUR: SQL = sql`(k.last_used_at is null or k.last_used_at < now() - ${interval(HOUR)})`

const dateOrNull = (row: Row, name: string) => (row[name] === null ? null : date(row, name))

function keyOf(row: Row): ApiKey {
  return {
    id: text(row, 'id'),
    userId: text(row, 'user_id'),
    name: text(row, 'name'),
    start: text(row, 'start'),
    scopes: wordsOf(row, 'scopes'),
    createdAt: date(row, 'created_at'),
    lastUsedAt: dateOrNull(row, 'last_used_at'),
    expiresAt: dateOrNull(row, 'expires_at'),
    revokedAt: dateOrNull(row, 'revoked_at'),
  }
}

/**
 * Finds whose live key this is: one statement. By its hash alone: of 256 random bits an index tells nothing that
 * could be used.
 */
export async function findKey(
  db: AuthDatabase,
  hash: string,
): Promise<(KeyIdentity & { readonly due: boolean }) | undefined> {
  const row = await one(
    db,
    sql`select ${KEY_COLUMNS}, ${OWNER_COLUMNS}, ${UNUSED_FOR_AN_HOUR} as due
      from breakwater.api_keys k join breakwater.users u on u.id = k.user_id
      where k.key_hash = ${hash}::text and ${LIVE} and u.disabled_at is null`,
  )
  return row && { user: ownerOf(row), apiKey: keyOf(row), due: row['due'] === true }
}

/** Writes down that a key is in use. */
export async function touchKey(db: AuthDatabase, id: string): Promise<void> {
  await db.execute(
    sql`update breakwater.api_keys k set last_used_at = now() where id = ${id}::uuid and ${UNUSED_FOR_AN_HOUR}`,
  )
}

/** A key to write down. */
export interface NewKey {
  readonly id: string
  readonly userId: string
  readonly name: string
  readonly start: string
  readonly hash: string
  readonly scopes: readonly string[]
  readonly expiresAt: Date | undefined
  /** The session it is made from. */
  readonly sessionId: string | undefined
}

/**
 * Writes a key down. `'full'` when there are as many as there may be, undefined when there is no such account. Keys
 * made at the very same moment may exceed the number by a few.
 */
export async function insertKey(
  db: AuthDatabase,
  key: NewKey,
  most: number,
  visitor: Visitor | undefined,
): Promise<ApiKey | 'full' | undefined> {
  const expires = key.expiresAt === undefined ? null : key.expiresAt.toISOString()
  const row = await one(
    db,
    sql`with u as (
        select id from breakwater.users where id = ${key.userId}::uuid and disabled_at is null for no key update
      ), k as (
        insert into breakwater.api_keys (id, user_id, name, start, key_hash, scopes, expires_at)
        select ${key.id}::uuid, id, ${key.name}::text, ${key.start}::text, ${key.hash}::text,
          ${wordList(key.scopes)}, ${expires}::timestamptz
        from u where (select count(*) from breakwater.api_keys k where k.user_id = u.id and ${LIVE}) < ${most}::int
        returning *
      ), event as (${recording('api-key-created', visitor, sql`user_id, ${key.sessionId ?? null}::uuid from k`)})
      select u.id as owner, ${KEY_COLUMNS} from u left join k on true`,
  )
  if (row === undefined) return undefined
  return typeof row['id'] === 'string' ? keyOf(row) : 'full'
}

/** Somebody's keys, the newest first, those that have ended too. */
export async function listKeys(db: AuthDatabase, userId: string): Promise<ApiKey[]> {
  const rows = await many(
    db,
    sql`select ${KEY_COLUMNS} from breakwater.api_keys k
      where k.user_id = ${userId}::uuid order by k.created_at desc, k.id desc limit 1000`,
  )
  return rows.map(keyOf)
}

/** Revokes one key of somebody's, or all of them. Gives the ids of those that were live. */
export async function revokeKeys(
  db: AuthDatabase,
  userId: string,
  id: string | undefined,
  visitor: Visitor | undefined,
  sessionId: string | undefined,
): Promise<string[]> {
  const which = id === undefined ? sql`true` : sql`k.id = ${id}::uuid`
  const session = sql`${sessionId ?? null}::uuid`
  const rows = await many(
    db,
    sql`with gone as (
        update breakwater.api_keys k set revoked_at = now()
        where k.user_id = ${userId}::uuid and ${which} and ${LIVE} returning k.id
      ), event as (${recording('api-key-revoked', visitor, sql`${userId}::uuid, ${session} where exists (select from gone)`)})
      select id from gone`,
  )
  return rows.map((row) => text(row, 'id'))
}
