import { sql } from 'drizzle-orm'
import { uuidv7 } from '../../core/index.ts'
import { CHALLENGE_MS, sealChallenge } from '../challenge.ts'
import type { AuthConfig } from '../config.ts'
import { asATry } from '../credentials.ts'
import { one, type Row, recording, text } from '../database.ts'
import { openDevice } from '../device-cookie.ts'
import { after, before } from '../hooks.ts'
import { normaliseEmail } from '../input.ts'
import { openSession } from '../session-open.ts'
import {
  ACCOUNT_COLUMNS,
  type Account,
  accountOf,
  recordFailure,
  type SecondFactorDue,
  type SignedIn,
  welcome,
} from '../sign-in.ts'
import { spending } from '../spent.ts'
import type { Token } from '../token.ts'
import type { Visitor } from '../visitor.ts'
import { conflict, noAccount, notBelieved, startAgain } from './errors.ts'
import { type OpenIdConfig, redirectUri } from './options.ts'
import type { Claims, Exchanged, ProviderClient } from './provider.ts'
import type { Transaction } from './transaction.ts'

/** What a callback's request knows. */
export interface CallbackInput {
  readonly parameters: URLSearchParams
  readonly transaction: Transaction
  readonly replaces: Token | undefined
  readonly device: string | undefined
}

/** The account that an identity opens. */
export interface Identified {
  readonly identityId: string
  readonly account: Account
  readonly disabled: boolean
}

/** Finds whose identity this is. Issuer and subject name it; a mail address never does. */
export async function findIdentity(
  config: AuthConfig,
  { issuer, subject }: Claims,
): Promise<Identified | undefined> {
  const row: Row | undefined = await one(
    config.db,
    sql`select ${ACCOUNT_COLUMNS}, i.id as identity_id, u.disabled_at is not null as disabled
      from breakwater.identities i join breakwater.users u on u.id = i.user_id
      left join breakwater.totp_factors f on f.user_id = u.id
      where i.issuer = ${issuer}::text and i.subject = ${subject}::text`,
  )
  if (row === undefined) return undefined
  return { identityId: text(row, 'identity_id'), account: accountOf(row), disabled: row['disabled'] === true }
}

/**
 * Makes an account for somebody whose address the provider has verified. An account of that address that was never
 * confirmed is taken over whole, its password and links gone: whoever opened it has shown nothing. One that was
 * confirmed is left alone: its owner signs in as usual and links, so that no provider opens accounts by claiming
 * an address.
 */
async function createAccount(
  config: AuthConfig,
  client: ProviderClient,
  { claims, verifiedMail }: Exchanged,
  visitor: Visitor,
): Promise<void> {
  if (!client.provider.signUp) throw noAccount('There is no account for this. Ask for one first.')
  const email = normaliseEmail((await verifiedMail()) ?? '')
  if (email === undefined) {
    throw noAccount('An account needs a mail address, and the sign-in service has verified none.')
  }
  await before(config, { type: 'signed-up', email })
  const row = await one(
    config.db,
    sql`with u as (
        insert into breakwater.users as u (id, email, email_verified_at)
        values (${uuidv7()}::uuid, ${email}::text, now())
        on conflict (lower(email)) do update
          set email_verified_at = now(), password_hash = null, session_generation = u.session_generation + 1,
            updated_at = now()
          where u.email_verified_at is null and u.disabled_at is null
        returning id
      ), links as (
        delete from breakwater.verification_tokens t using u where t.user_id = u.id
      ), identity as (
        insert into breakwater.identities (id, user_id, issuer, subject)
        select ${uuidv7()}::uuid, id, ${claims.issuer}::text, ${claims.subject}::text from u
        returning user_id
      ), event as (${recording('signed-up', visitor, sql`user_id, null::uuid from identity`)})
      select user_id from identity`,
  )
  if (row !== undefined) after(config, visitor, 'signed-up', text(row, 'user_id'))
}

/** The account that these claims open, made for them if need be. */
async function accountFor(
  config: AuthConfig,
  client: ProviderClient,
  exchanged: Exchanged,
  visitor: Visitor,
): Promise<Identified> {
  const { claims } = exchanged
  const found = await findIdentity(config, claims)
  if (found !== undefined) return found
  await createAccount(config, client, exchanged, visitor)
  // Also when somebody was faster: the same person in another tab.
  const made = await findIdentity(config, claims)
  if (made !== undefined) return made
  throw conflict('There is an account with this mail address. Sign in to it, then add this way to sign in.')
}

/**
 * What the provider gives for what the browser came back with. Only an answer that cannot be believed stays counted
 * as a try.
 */
export function verified(
  config: AuthConfig,
  openid: OpenIdConfig,
  client: ProviderClient,
  { parameters, transaction }: CallbackInput,
  visitor: Visitor,
): Promise<Exchanged> {
  const requests = [{ policy: 'credentials', key: `address:${visitor.address}` }]
  return asATry(config, requests, visitor, async () => {
    try {
      return await client.exchange(transaction, parameters, redirectUri(config, openid, client.provider))
    } catch (error) {
      recordFailure(config, 'sign-in-failed', visitor, undefined)
      throw error
    }
  })
}

/**
 * Signs in by what a provider said, or, where a second factor is due, says so: a provider's word is one factor.
 * @throws BreakwaterError `invalid-token`, `invalid-credentials`, `forbidden`, `conflict`, `dependency-unavailable`
 */
export async function signInByProvider(
  config: AuthConfig,
  openid: OpenIdConfig,
  client: ProviderClient,
  input: CallbackInput,
  visitor: Visitor,
): Promise<SignedIn | SecondFactorDue> {
  const exchanged = await verified(config, openid, client, input, visitor)
  const { claims, tokens } = exchanged
  const { account, identityId, disabled } = await accountFor(config, client, exchanged, visitor)
  const { user, generation, secondFactors } = account
  if (disabled) {
    recordFailure(config, 'sign-in-failed', visitor, user.id)
    throw notBelieved(new Error('The account is disabled'))
  }
  await before(config, { type: 'signed-in', userId: user.id, email: user.email })
  await openid.onTokens?.({
    userId: user.id,
    provider: client.provider.id,
    accessToken: tokens.access_token,
    expiresIn: tokens.expires_in,
    refreshToken: tokens.refresh_token,
    scope: tokens.scope,
  })
  if (secondFactors.length > 0) {
    const expiresAt = Date.now() + CHALLENGE_MS
    const said = { userId: user.id, generation, transport: 'cookie', method: 'openid', expiresAt } as const
    return { challenge: await sealChallenge(config.secrets, said), methods: secondFactors }
  }
  const { transaction, replaces, device } = input
  const opened = await openSession(
    config,
    {
      userId: user.id,
      transport: 'cookie',
      methods: ['openid'],
      // Without a factor still: adding one would have raised the generation.
      where: sql`u.session_generation = ${generation}::int`,
      spend: spending(transaction.id, transaction.expiresAt),
      proof: sql`update breakwater.identities i set last_used_at = now() from held, spent
        where i.id = ${identityId}::uuid and i.user_id = held.id returning i.user_id`,
      replaces,
      authenticatedAt: claims.authenticatedAt,
    },
    visitor,
  )
  if (opened === undefined) throw startAgain()
  const known = (await openDevice(config.secrets, user.email, device)) !== undefined
  return welcome(config, { user, session: opened.session, token: opened.text }, known, visitor)
}
