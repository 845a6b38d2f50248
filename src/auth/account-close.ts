import { sql } from 'drizzle-orm'
import type { AuthConfig } from './config.ts'
import { one, recording } from './database.ts'
import { unauthenticated } from './errors.ts'
import { after, before } from './hooks.ts'
import type { Identification } from './identity.ts'
import { farewell, notify } from './mailing.ts'
import { revoking } from './revoking.ts'
import type { Visitor } from './visitor.ts'

/**
 * Closes an account: its row goes, and with it sessions, factors, keys and links. The audit record stays, without
 * a name. Its owner is told by mail. What else the application knows about the person is its own to delete, in the hook `before`.
 */
export async function closeAccount(
  config: AuthConfig,
  { user, session }: Identification,
  visitor: Visitor,
): Promise<void> {
  await before(config, { type: 'account-closed', userId: user.id, email: user.email })
  const row = await revoking(config, user.id, visitor, () =>
    one(
      config.db,
      sql`with u as (
          delete from breakwater.users u using breakwater.sessions s
          where u.id = ${user.id}::uuid and s.id = ${session.id}::uuid and s.user_id = u.id
            and s.generation = u.session_generation and u.disabled_at is null
          returning u.id
        ), event as (${recording('account-closed', visitor, sql`id, null::uuid from u`)})
        select id from u`,
    ),
  )
  if (row === undefined) throw unauthenticated()
  after(config, visitor, 'account-closed', user.id)
  notify(config, visitor, await farewell(config, user.email))
}
