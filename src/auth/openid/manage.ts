import { sql } from 'drizzle-orm'
import { uuidv7 } from '../../core/index.ts'
import { changeAccount } from '../account-change.ts'
import type { AuthConfig } from '../config.ts'
import { date, epoch, many, text } from '../database.ts'
import { unauthenticated } from '../errors.ts'
import type { Identification } from '../identity.ts'
import { notify } from '../mailing.ts'
import type { SignedIn } from '../sign-in.ts'
import { spending } from '../spent.ts'
import { isUuid } from '../token.ts'
import type { Visitor } from '../visitor.ts'
import { conflict, notFound, startAgain } from './errors.ts'
import type { OpenIdConfig } from './options.ts'
import type { ProviderClient } from './provider.ts'
import { type CallbackInput, findIdentity, verified } from './sign-in.ts'

/** An account elsewhere that opens one here, as its owner sees it. */
export interface LinkedIdentity {
  readonly id: string
  readonly issuer: string
  readonly createdAt: Date
  /** Undefined when it was never used. */
  readonly lastUsedAt: Date | undefined
}

/** Somebody's accounts elsewhere, the oldest first. */
export async function listIdentities(config: AuthConfig, userId: string): Promise<LinkedIdentity[]> {
  const rows = await many(
    config.db,
    sql`select id, issuer, ${epoch('created_at')} as created_at, ${epoch('last_used_at')} as last_used_at
      from breakwater.identities where user_id = ${userId}::uuid order by created_at, id limit 100`,
  )
  return rows.map((row) => ({
    id: text(row, 'id'),
    issuer: text(row, 'issuer'),
    createdAt: date(row, 'created_at'),
    lastUsedAt: row['last_used_at'] === null ? undefined : date(row, 'last_used_at'),
  }))
}

/**
 * Adds a way in to the account of whoever is signed in, and who must be who began it. Every other session ends, and
 * the owner is told. Undefined when it was there already.
 * @throws BreakwaterError `unauthenticated`, `conflict` when it opens somebody else's, and as signing in does
 */
export async function linkIdentity(
  config: AuthConfig,
  openid: OpenIdConfig,
  client: ProviderClient,
  identity: Identification | undefined,
  input: CallbackInput,
  visitor: Visitor,
): Promise<SignedIn | undefined> {
  const { link, id, expiresAt } = input.transaction
  if (identity === undefined || link === undefined) throw unauthenticated()
  if (identity.user.id !== link.userId || identity.session.id !== link.sessionId) throw startAgain()
  const { claims } = await verified(config, openid, client, input, visitor)
  const taken = await findIdentity(config, claims)
  if (taken !== undefined && taken.account.user.id === link.userId) return undefined
  if (taken !== undefined) throw conflict('This opens another account already.')
  const change = {
    proof: spending(id, expiresAt),
    parts: [
      [
        'identity',
        sql`insert into breakwater.identities (id, user_id, issuer, subject)
          select ${uuidv7()}::uuid, id, ${claims.issuer}::text, ${claims.subject}::text from u`,
      ],
    ],
    event: 'identity-linked',
  } as const
  const done = await changeAccount(config, identity, change, visitor)
  if (done === undefined) throw startAgain()
  notify(config, visitor, { kind: 'identity-linked', userId: link.userId, noticeId: done.session.id })
  return done
}

/**
 * Removes a way in. Every other session ends, and the owner is told.
 * @throws BreakwaterError `not-found`, `conflict` when there would be no way in left
 */
export async function unlinkIdentity(
  config: AuthConfig,
  identity: Identification,
  id: string,
  visitor: Visitor,
): Promise<SignedIn> {
  const none = () => notFound('There is no such way to sign in.')
  if (!isUuid(id)) throw none()
  const userId = identity.user.id
  const change = {
    proof: sql`delete from breakwater.identities i using held join breakwater.users a on a.id = held.id
      where i.id = ${id}::uuid and i.user_id = held.id
        and (a.password_hash is not null
          or exists (select from breakwater.identities o where o.user_id = held.id and o.id <> i.id)
          or exists (select from breakwater.passkeys p where p.user_id = held.id))
      returning i.user_id`,
    event: 'identity-unlinked',
  } as const
  const done = await changeAccount(config, identity, change, visitor)
  if (done === undefined) {
    const list = await listIdentities(config, userId)
    if (list.every((one) => one.id !== id)) throw none()
    throw conflict('This is the last way into the account. Choose a password or add a passkey first.')
  }
  notify(config, visitor, { kind: 'identity-unlinked', userId, noticeId: done.session.id })
  return done
}
