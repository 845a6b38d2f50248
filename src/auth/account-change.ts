import { type SQL, sql } from 'drizzle-orm'
import type { AuthConfig } from './config.ts'
import { newCredential } from './credential.ts'
import { type AuthEvent, interval, one, recording, wordList } from './database.ts'
import { after } from './hooks.ts'
import type { Identification } from './identity.ts'
import { revoking } from './revoking.ts'
import { SESSION_COLUMNS, sessionOf } from './session-store.ts'
import type { SignedIn } from './sign-in.ts'
import type { Visitor } from './visitor.ts'

/** A change to how somebody proves who they are. */
export interface AccountChange {
  /** Assignments to the account's row, such as `password_hash = …`. */
  readonly set?: SQL
  /** What must still be true of the account, `u`. */
  readonly where?: SQL
  /** A statement that spends a proof of the account `held` and returns a row when there was one to spend. */
  readonly proof?: SQL
  /** More to write, each the name and the body of a part that may read the account `u`. */
  readonly parts?: readonly (readonly [name: string, body: SQL])[]
  readonly event: AuthEvent
  /** How the person has proved who they are. Default: as the session has it. */
  readonly methods?: readonly string[]
  /** Whether the person has been marked a moment ago (`announceEnd`). */
  readonly announced?: boolean
}

/**
 * Changes how somebody proves who they are. In the statement that does it every session of theirs ends, and the
 * one that asked gets a successor, since its owner has just authenticated. Undefined when nothing was changed:
 * the session has ended, the proof was spent already, or something is no longer true.
 */
export async function changeAccount(
  config: AuthConfig,
  { user, session }: Identification,
  change: AccountChange,
  visitor: Visitor,
): Promise<SignedIn | undefined> {
  const credential = await newCredential(config.secrets, session.transport)
  const { proof, parts = [], methods = session.methods } = change
  const write = () =>
    one(
      config.db,
      // The account's row first, as in every statement that ends several sessions.
      sql`with held as (
          select u.id from breakwater.users u join breakwater.sessions s on s.user_id = u.id
          where u.id = ${user.id}::uuid and u.disabled_at is null and s.id = ${session.id}::uuid
            and s.generation = u.session_generation
          for no key update of u
        ), ${proof === undefined ? sql`` : sql`proof as (${proof}),`} u as (
          update breakwater.users u set ${change.set === undefined ? sql`` : sql`${change.set},`}
            session_generation = u.session_generation + 1, updated_at = now()
          from breakwater.sessions s
          where u.id = (select id from held) and s.id = ${session.id}::uuid and s.user_id = u.id
            and s.generation = u.session_generation and u.disabled_at is null
            ${change.where === undefined ? sql`` : sql`and ${change.where}`}
            ${proof === undefined ? sql`` : sql`and exists (select from proof)`}
          returning u.id, u.session_generation
        ), gone as (
          delete from breakwater.sessions s using u where s.user_id = u.id
        ), ${sql.join(
          parts.map(([name, body]) => sql`${sql.raw(name)} as (${body}), `),
          sql``,
        )} s as (
          insert into breakwater.sessions
            (id, user_id, secret_hash, generation, expires_at, device, country, city, transport, methods)
          select ${credential.id}::uuid, id, ${credential.hash}::text, session_generation,
            now() + ${interval(config.times.absolute)},
            ${visitor.device}::text, ${visitor.country}::text, ${visitor.city}::text,
            ${credential.transport}::text, ${wordList(methods)}
          from u returning *
        ), event as (${recording(change.event, visitor, sql`user_id, id from s`)})
        select ${SESSION_COLUMNS} from s`,
    )
  const row = await (change.announced ? write() : revoking(config, user.id, visitor, write))
  if (row === undefined) return undefined
  after(config, visitor, change.event, user.id, credential.id)
  return { user, session: sessionOf(row), token: credential.text }
}
