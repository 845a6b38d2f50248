import type { AuthConfig } from '../config.ts'
import { type ChallengeUse, type OpenedChallenge, openChallenge } from './challenges.ts'
import { staleChallenge } from './errors.ts'
import type { PasskeyConfig } from './options.ts'
import {
  type AssertionResponse,
  claimedChallenge,
  type Expected,
  type RegistrationResponse,
} from './webauthn.ts'

/** A challenge that was answered, and what the answer is held against. */
export interface Answered {
  readonly challenge: OpenedChallenge
  readonly expected: Expected
}

/**
 * The challenge that a credential answers, if it was made for this use.
 * @throws BreakwaterError `invalid-token`
 */
export async function answered(
  { secrets }: AuthConfig,
  { rpId, origins }: PasskeyConfig,
  use: ChallengeUse,
  credential: RegistrationResponse | AssertionResponse,
): Promise<Answered> {
  const claimed = claimedChallenge(credential.response.clientDataJSON)
  const challenge = claimed === undefined ? undefined : await openChallenge(secrets, use, claimed)
  if (claimed === undefined || challenge === undefined) throw staleChallenge()
  return { challenge, expected: { challenge: claimed, rpId, origins } }
}
