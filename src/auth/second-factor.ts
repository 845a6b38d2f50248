import { sql } from 'drizzle-orm'
import { openChallenge } from './challenge.ts'
import { codeProof } from './code-proof.ts'
import type { AuthConfig } from './config.ts'
import { asATry } from './credentials.ts'
import { one, textOrNull } from './database.ts'
import { openDevice } from './device-cookie.ts'
import { invalidCode, invalidToken } from './errors.ts'
import { after } from './hooks.ts'
import { notify } from './mailing.ts'
import { openSession } from './session-open.ts'
import { ACCOUNT_COLUMNS, accountOf, recordFailure, type SignedIn, welcome } from './sign-in.ts'
import type { Token } from './token.ts'
import type { Visitor } from './visitor.ts'

/**
 * Counts `work` as a try at somebody's second factor: by address, and by account or, from a device that has
 * signed in to it before, by that device.
 */
export async function asACodeTry<T>(
  config: AuthConfig,
  who: { readonly userId: string; readonly email: string; readonly device: string | undefined },
  visitor: Visitor,
  work: (known: boolean) => Promise<T>,
): Promise<T> {
  const nonce = await openDevice(config.secrets, who.email, who.device)
  const account = `factor:${who.userId}${nonce === undefined ? '' : `:device:${nonce}`}`
  const requests = [
    { policy: 'credentials', key: `address:${visitor.address}` },
    { policy: 'credentials', key: account },
  ]
  return asATry(config, requests, visitor, () => work(nonce !== undefined))
}

/**
 * The second step of a sign-in.
 * @throws BreakwaterError `invalid-token` (the challenge is too old, or the account has changed since),
 * `invalid-credentials` (the code is wrong or used), `quota-exceeded`
 */
export async function signInWithCode(
  config: AuthConfig,
  input: {
    readonly challenge: string
    readonly code: string
    readonly device?: string | undefined
    readonly replaces?: Token | undefined
  },
  visitor: Visitor,
): Promise<SignedIn> {
  const challenge = await openChallenge(config.secrets, input.challenge)
  if (challenge === undefined) throw invalidToken()
  const { userId, generation, transport } = challenge
  const row = await one(
    config.db,
    sql`select ${ACCOUNT_COLUMNS}, f.sealed_secret, f.last_step from breakwater.users u
      left join breakwater.totp_factors f on f.user_id = u.id and f.confirmed_at is not null
      where u.id = ${userId}::uuid and u.session_generation = ${generation}::int and u.disabled_at is null`,
  )
  if (row === undefined) throw invalidToken()
  const { user, secondFactors } = accountOf(row)
  if (secondFactors.length === 0) throw invalidToken()
  const factor = { userId, sealed: textOrNull(row, 'sealed_secret'), lastStep: Number(row['last_step']) }
  const who = { userId, email: user.email, device: input.device }
  let wasKnown = false
  const signedIn = await asACodeTry(config, who, visitor, async (known) => {
    wasKnown = known
    const proof = await codeProof(config, factor, input.code)
    const opened =
      proof &&
      (await openSession(
        config,
        {
          userId,
          transport,
          methods: [challenge.method, proof.method],
          where: sql`u.session_generation = ${generation}::int`,
          proof: proof.spend,
          replaces: input.replaces,
        },
        visitor,
      ))
    if (opened === undefined) {
      recordFailure(config, 'second-factor-failed', visitor, userId)
      throw invalidCode()
    }
    if (proof?.method === 'recovery-code') {
      after(config, visitor, 'recovery-code-used', userId, opened.session.id)
      notify(config, visitor, { kind: 'recovery-code-used', userId, noticeId: opened.session.id })
    }
    return { user, session: opened.session, token: opened.text }
  })
  return welcome(config, signedIn, wasKnown, visitor)
}
