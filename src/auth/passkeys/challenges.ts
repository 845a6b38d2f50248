import { fromBase64Url, toBase64Url, toHex } from '../../core/bytes.ts'
import { hmac, verifyHmac } from '../../core/crypto.ts'
import { randomBytes } from '../../core/index.ts'
import type { Secrets } from '../mail-token.ts'

/** What a challenge is for, and whose it is: the person's session, the browser, or the right password before it. */
export interface ChallengeUse {
  readonly purpose: 'register' | 'sign-in' | 'second-factor'
  readonly boundTo: string
}

/** A challenge that is ours and not too old. */
export interface OpenedChallenge {
  /** Names it in the list of those that were answered. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** How long somebody may look for the authenticator. */
export const CHALLENGE_MS: number = 5 * 60_000

const RANDOM_BYTES = 16
const HEAD_BYTES = RANDOM_BYTES + 6
const MAC_BYTES = 32

const signed = (use: ChallengeUse, head: Uint8Array) =>
  `breakwater/auth/passkey/1\n${use.purpose}\n${use.boundTo}\n${toHex(head)}`

/**
 * Makes a challenge: random bytes, an end, and a signature over them, what it is for and whose it is. Nothing is
 * stored until it is answered, so asking for many costs the database nothing.
 */
export async function makeChallenge(secrets: Secrets, use: ChallengeUse): Promise<string> {
  const bytes = new Uint8Array(HEAD_BYTES + MAC_BYTES)
  bytes.set(randomBytes(RANDOM_BYTES))
  const expiresAt = Date.now() + CHALLENGE_MS
  const view = new DataView(bytes.buffer)
  view.setUint16(RANDOM_BYTES, Math.floor(expiresAt / 2 ** 32))
  view.setUint32(RANDOM_BYTES + 2, expiresAt % 2 ** 32)
  bytes.set(await hmac(secrets[0], signed(use, bytes.subarray(0, HEAD_BYTES))), HEAD_BYTES)
  return toBase64Url(bytes)
}

/** Reads a challenge that was made for this use; undefined for anything else. Never throws. */
export async function openChallenge(
  secrets: Secrets,
  use: ChallengeUse,
  text: string,
): Promise<OpenedChallenge | undefined> {
  if (text.length > 128) return undefined
  const bytes = fromBase64Url(text)
  if (bytes?.length !== HEAD_BYTES + MAC_BYTES) return undefined
  const head = bytes.subarray(0, HEAD_BYTES)
  if (!(await verifyHmac(secrets, signed(use, head), bytes.slice(HEAD_BYTES)))) return undefined
  const view = new DataView(bytes.buffer)
  const expiresAt = view.getUint16(RANDOM_BYTES) * 2 ** 32 + view.getUint32(RANDOM_BYTES + 2)
  if (expiresAt <= Date.now()) return undefined
  const hex = toHex(head.subarray(0, RANDOM_BYTES))
  const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  return { id, expiresAt }
}
