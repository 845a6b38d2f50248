import { type SQL, sql } from 'drizzle-orm'
import { openChallenge as openPasswordChallenge } from '../challenge.ts'
import type { AuthConfig } from '../config.ts'
import type { Transport } from '../credential.ts'
import { asATry } from '../credentials.ts'
import { one } from '../database.ts'
import { before } from '../hooks.ts'
import { notify } from '../mailing.ts'
import { asACodeTry } from '../second-factor.ts'
import { openSession } from '../session-open.ts'
import { recordFailure, type SignedIn, welcome } from '../sign-in.ts'
import { spending } from '../spent.ts'
import type { Token } from '../token.ts'
import type { Visitor } from '../visitor.ts'
import { type Answered, answered } from './ceremony.ts'
import { CHALLENGE_MS, makeChallenge } from './challenges.ts'
import { refused, staleChallenge } from './errors.ts'
import type { PasskeyConfig } from './options.ts'
import {
  type CredentialDescriptor,
  descriptors,
  findPasskey,
  type StoredPasskey,
  userHandle,
} from './stored.ts'
import type { AssertionResponse, VerifiedAssertion } from './webauthn.ts'

/** What a browser is asked for: `PublicKeyCredential.parseRequestOptionsFromJSON()` reads it. */
export interface RequestOptions {
  readonly challenge: string
  readonly rpId: string
  /** Milliseconds. */
  readonly timeout: number
  readonly userVerification: 'required'
  /** Empty: whichever passkey its owner picks. */
  readonly allowCredentials: readonly CredentialDescriptor[]
}

/** What a person signs in with. */
export interface PasskeyInput {
  readonly credential: AssertionResponse
  readonly replaces: Token | undefined
  readonly device: string | undefined
}

/** What the session that begins is like. */
interface Beginning {
  readonly transport: Transport
  readonly methods: readonly string[]
  readonly where: SQL
}

async function request(
  config: AuthConfig,
  { rpId }: PasskeyConfig,
  use: Parameters<typeof makeChallenge>[1],
  allowCredentials: readonly CredentialDescriptor[],
): Promise<RequestOptions> {
  const challenge = await makeChallenge(config.secrets, use)
  return { challenge, rpId, timeout: CHALLENGE_MS, userVerification: 'required', allowCredentials }
}

/** Begins a sign-in by whichever passkey the person picks. Asks the database nothing. */
export function signInOptions(
  config: AuthConfig,
  passkeys: PasskeyConfig,
  boundTo: string,
): Promise<RequestOptions> {
  return request(config, passkeys, { purpose: 'sign-in', boundTo }, [])
}

async function checked(
  config: AuthConfig,
  { verifier }: PasskeyConfig,
  stored: StoredPasskey,
  { credential }: PasskeyInput,
  { expected }: Answered,
  failure: 'sign-in-failed' | 'second-factor-failed',
  visitor: Visitor,
): Promise<VerifiedAssertion> {
  const userId = stored.account.user.id
  let verified: VerifiedAssertion
  try {
    verified = await verifier.assertion(credential, stored, expected)
  } catch (cause) {
    recordFailure(config, failure, visitor, userId)
    throw refused(cause)
  }
  const counts = verified.counter > 0 || stored.counter > 0
  if (counts && verified.counter <= stored.counter) {
    // Two authenticators use one key (section 6.1.1). Which of them is the owner's cannot be told.
    recordFailure(config, 'passkey-copied', visitor, userId)
    notify(config, visitor, { kind: 'passkey-copied', userId, noticeId: stored.id })
    throw refused()
  }
  return verified
}

/** Opens a session by a passkey that was found, and counts wrong tries against its owner's account. */
async function open(
  config: AuthConfig,
  passkeys: PasskeyConfig,
  stored: StoredPasskey,
  input: PasskeyInput,
  answer: Answered,
  beginning: Beginning,
  visitor: Visitor,
): Promise<SignedIn> {
  const { user } = stored.account
  const who = { userId: user.id, email: user.email, device: input.device }
  let wasKnown = false
  const signedIn = await asACodeTry(config, who, visitor, async (known) => {
    wasKnown = known
    const failure = beginning.methods.length > 1 ? 'second-factor-failed' : 'sign-in-failed'
    const { counter, backedUp } = await checked(config, passkeys, stored, input, answer, failure, visitor)
    await before(config, { type: 'signed-in', userId: user.id, email: user.email })
    const proof = sql`update breakwater.passkeys p
      set counter = ${counter}::bigint, backed_up = ${backedUp}::boolean, last_used_at = now()
      from held, spent where p.id = ${stored.id}::uuid and p.user_id = held.id
        and (p.counter < ${counter}::bigint or (p.counter = 0 and ${counter}::bigint = 0))
      returning p.user_id`
    const { id, expiresAt } = answer.challenge
    const opening = { userId: user.id, ...beginning, spend: spending(id, expiresAt), proof }
    const opened = await openSession(config, { ...opening, replaces: input.replaces }, visitor)
    if (opened === undefined) throw staleChallenge()
    return { user, session: opened.session, token: opened.text }
  })
  return welcome(config, signedIn, wasKnown, visitor)
}

/**
 * Signs in by a passkey alone: it is something the person has, and the authenticator has made sure who they are, so
 * no second factor is asked for.
 * @throws BreakwaterError `invalid-token` (the challenge), `invalid-credentials`, `quota-exceeded`
 */
export async function signInWithPasskey(
  config: AuthConfig,
  passkeys: PasskeyConfig,
  input: PasskeyInput & { readonly transport: Transport; readonly boundTo: string },
  visitor: Visitor,
): Promise<SignedIn> {
  const { credential, transport, boundTo } = input
  const answer = await answered(config, passkeys, { purpose: 'sign-in', boundTo }, credential)
  const stored = await findPasskey(config, credential.id, answer.challenge)
  if (stored?.spent) throw staleChallenge()
  const handle = credential.response.userHandle
  if (stored === undefined || handle !== userHandle(stored.account.user.id)) {
    const requests = [{ policy: 'credentials', key: `address:${visitor.address}` }]
    return asATry(config, requests, visitor, async () => {
      recordFailure(config, 'sign-in-failed', visitor, undefined)
      throw refused()
    })
  }
  const beginning = { transport, methods: ['passkey'], where: sql`true` }
  return open(config, passkeys, stored, input, answer, beginning, visitor)
}

/**
 * Begins the second step of a sign-in. `challenge` is what a right password was answered with.
 * @throws BreakwaterError `invalid-token`
 */
export async function secondFactorOptions(
  config: AuthConfig,
  passkeys: PasskeyConfig,
  challenge: string,
): Promise<RequestOptions> {
  const said = await openPasswordChallenge(config.secrets, challenge)
  if (said === undefined) throw staleChallenge()
  const { userId, generation } = said
  const [row, allowed] = await Promise.all([
    one(
      config.db,
      sql`select from breakwater.users u where u.id = ${userId}::uuid
        and u.session_generation = ${generation}::int and u.disabled_at is null`,
    ),
    descriptors(config, userId),
  ])
  if (row === undefined || allowed.length === 0) throw staleChallenge()
  return request(config, passkeys, { purpose: 'second-factor', boundTo: challenge }, allowed)
}

/**
 * The second step of a sign-in, by a passkey.
 * @throws BreakwaterError `invalid-token`, `invalid-credentials`, `quota-exceeded`
 */
export async function secondFactorByPasskey(
  config: AuthConfig,
  passkeys: PasskeyConfig,
  input: PasskeyInput & { readonly challenge: string },
  visitor: Visitor,
): Promise<SignedIn> {
  const { credential, challenge } = input
  const said = await openPasswordChallenge(config.secrets, challenge)
  if (said === undefined) throw staleChallenge()
  const use = { purpose: 'second-factor', boundTo: challenge } as const
  const answer = await answered(config, passkeys, use, credential)
  const stored = await findPasskey(config, credential.id, answer.challenge)
  if (stored?.spent) throw staleChallenge()
  const { userId, generation, transport, method } = said
  if (stored?.account.user.id !== userId) {
    // Somebody else's, or nobody's. Counted against the account whose password was right.
    const requests = [
      { policy: 'credentials', key: `address:${visitor.address}` },
      { policy: 'credentials', key: `factor:${userId}` },
    ]
    return asATry(config, requests, visitor, async () => {
      recordFailure(config, 'second-factor-failed', visitor, userId)
      throw refused()
    })
  }
  const where = sql`u.session_generation = ${generation}::int`
  return open(
    config,
    passkeys,
    stored,
    input,
    answer,
    { transport, methods: [method, 'passkey'], where },
    visitor,
  )
}
