import { type SQL, sql } from 'drizzle-orm'
import { toBytes } from '../core/bytes.ts'
import { timingSafeEqual } from '../core/crypto.ts'
import type { Transport } from './credential.ts'
import {
  type AuthDatabase,
  date,
  epoch,
  interval,
  many,
  one,
  type Row,
  text,
  textOrNull,
  words,
  wordsOf,
} from './database.ts'
import { hashSecret, type Token } from './token.ts'

/** Somebody with an account. */
export interface User {
  readonly id: string
  /** Normalised mail address. */
  readonly email: string
  readonly createdAt: Date
  /** What they may do, in the application's own words; see `requireRole`. */
  readonly roles: readonly string[]
}

/** A signed-in device. */
export interface Session {
  readonly id: string
  readonly userId: string
  readonly createdAt: Date
  /** When the person last proved who they are. */
  readonly authenticatedAt: Date
  /** To within an hour. */
  readonly lastUsedAt: Date
  /** The absolute end. Idle sessions end earlier. */
  readonly expiresAt: Date
  /** Such as `Firefox on Windows`. */
  readonly device: string | null
  /** ISO 3166-1 alpha-2. */
  readonly country: string | null
  readonly city: string | null
  /** How it travels. */
  readonly transport: Transport
  /** How the person proved who they are: `password`, `totp`, `recovery-code` (as `amr` in RFC 8176 does). */
  readonly methods: readonly string[]
}

/** Who is asking. */
export interface Identity {
  readonly user: User
  readonly session: Session
}

/** How long sessions last, in milliseconds. */
export interface SessionTimes {
  readonly idle: number
  readonly absolute: number
  /** Use is written down at most this often. */
  readonly touchEvery: number
}

/** Columns of a session, for a select whose sessions are called `s`. */
export const SESSION_COLUMNS: SQL = sql`s.id, s.user_id, ${epoch('s.created_at')} as created_at,
  ${epoch('s.authenticated_at')} as authenticated_at, ${epoch('s.last_used_at')} as last_used_at,
  ${epoch('s.expires_at')} as expires_at, s.device, s.country, s.city,
  s.transport, ${words('s.methods')} as methods`

/** Reads {@link SESSION_COLUMNS}. */
export function sessionOf(row: Row): Session {
  return {
    id: text(row, 'id'),
    userId: text(row, 'user_id'),
    createdAt: date(row, 'created_at'),
    authenticatedAt: date(row, 'authenticated_at'),
    lastUsedAt: date(row, 'last_used_at'),
    expiresAt: date(row, 'expires_at'),
    device: textOrNull(row, 'device'),
    country: textOrNull(row, 'country'),
    city: textOrNull(row, 'city'),
    transport: text(row, 'transport') === 'token' ? 'token' : 'cookie',
    methods: wordsOf(row, 'methods'),
  }
}

/** Columns of the account a session is of, beside {@link SESSION_COLUMNS}, for a select whose accounts are `u`. */
export const OWNER_COLUMNS: SQL = sql`u.email, ${epoch('u.created_at')} as user_created_at, ${words('u.roles')} as roles`

/** Reads {@link OWNER_COLUMNS}. */
export function ownerOf(row: Row): User {
  return {
    id: text(row, 'user_id'),
    email: text(row, 'email'),
    createdAt: date(row, 'user_created_at'),
    roles: wordsOf(row, 'roles'),
  }
}

/** Live means: of the account's generation, neither idle for too long nor past its absolute end, and not disabled. */
export const live = (times: SessionTimes): SQL =>
  sql`s.generation = u.session_generation and s.expires_at > now() and s.last_used_at > now() - ${interval(times.idle)} and u.disabled_at is null`

/** What {@link findSession} finds. */
export interface FoundSession extends Identity {
  /** Whether its use should be written down. */
  readonly due: boolean
  /** The stored password, for the routes that ask for it again. Never leaves this room. */
  readonly passwordHash: string | null
}

const LOOKUP: SQL = sql`select ${SESSION_COLUMNS}, ${OWNER_COLUMNS}, s.secret_hash, u.password_hash`

const due = (times: SessionTimes): SQL =>
  sql`s.last_used_at < now() - ${interval(times.touchEvery)} as due
    from breakwater.sessions s join breakwater.users u on u.id = s.user_id`

function found(row: Row): FoundSession {
  return {
    user: ownerOf(row),
    session: sessionOf(row),
    due: row['due'] === true,
    passwordHash: textOrNull(row, 'password_hash'),
  }
}

/** Finds the live session of a cookie: one statement. */
export async function findSession(
  db: AuthDatabase,
  token: Token,
  times: SessionTimes,
): Promise<FoundSession | undefined> {
  const [row, hash] = await Promise.all([
    one(db, sql`${LOOKUP}, ${due(times)} where s.id = ${token.id}::uuid and ${live(times)}`),
    hashSecret(token.secret),
  ])
  if (row === undefined || !timingSafeEqual(toBytes(text(row, 'secret_hash')), toBytes(hash)))
    return undefined
  return found(row)
}

/** Finds the live session that a genuine access token names: one statement. */
export async function findTokenSession(
  db: AuthDatabase,
  id: string,
  times: SessionTimes,
): Promise<FoundSession | undefined> {
  const row = await one(
    db,
    sql`${LOOKUP}, ${due(times)} where s.id = ${id}::uuid and s.transport = 'token' and ${live(times)}`,
  )
  return row && found(row)
}

/** Writes down that a session is in use. */
export async function touchSession(db: AuthDatabase, id: string, times: SessionTimes): Promise<void> {
  await db.execute(
    sql`update breakwater.sessions set last_used_at = now()
      where id = ${id}::uuid and last_used_at < now() - ${interval(times.touchEvery)}`,
  )
}

/** A person's live sessions, the latest used first. */
export async function listSessions(
  db: AuthDatabase,
  userId: string,
  times: SessionTimes,
): Promise<Session[]> {
  const rows = await many(
    db,
    sql`select ${SESSION_COLUMNS} from breakwater.sessions s join breakwater.users u on u.id = s.user_id
      where s.user_id = ${userId}::uuid and ${live(times)} order by s.last_used_at desc, s.id desc limit 1000`,
  )
  return rows.map(sessionOf)
}
