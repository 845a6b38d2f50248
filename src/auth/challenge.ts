import { fromBase64Url, toBase64Url, toBytes } from '../core/bytes.ts'
import { hmac, verifyHmac } from '../core/crypto.ts'
import type { Transport } from './credential.ts'
import type { Secrets } from './mail-token.ts'
import { isUuid } from './token.ts'

/**
 * What stands between a right password and a second factor: it says that the password of this account, of this
 * generation, was right a moment ago. It opens nothing by itself.
 */
export interface Challenge {
  readonly userId: string
  /** The account's generation: a changed password or ended sessions end it too. */
  readonly generation: number
  readonly transport: Transport
  /** How the person has proved who they are so far. */
  readonly method: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** How long somebody may look for the phone. */
export const CHALLENGE_MS: number = 5 * 60_000

const signed = (payload: string) => `breakwater/auth/challenge/1\n${payload}`

/** Writes a challenge. */
export async function sealChallenge(secrets: Secrets, challenge: Challenge): Promise<string> {
  const { userId, generation, transport, method, expiresAt } = challenge
  const payload = toBase64Url(toBytes(JSON.stringify([userId, generation, transport, method, expiresAt])))
  return `${payload}.${toBase64Url(await hmac(secrets[0], signed(payload)))}`
}

/** Reads a challenge that is ours and not too old; undefined for anything else. Never throws. */
export async function openChallenge(secrets: Secrets, text: string): Promise<Challenge | undefined> {
  if (text.length > 512) return undefined
  const [payload = '', mac = '', ...more] = text.split('.')
  const [bytes, signature] = [fromBase64Url(payload), fromBase64Url(mac)]
  if (more.length > 0 || bytes === undefined || signature?.length !== 32) return undefined
  if (!(await verifyHmac(secrets, signed(payload), signature))) return undefined
  const list: unknown = JSON.parse(new TextDecoder().decode(bytes))
  if (!Array.isArray(list)) return undefined
  const [userId, generation, transport, method, expiresAt] = list as readonly unknown[]
  if (!isUuid(userId) || typeof generation !== 'number' || typeof method !== 'string') return undefined
  if ((transport !== 'cookie' && transport !== 'token') || typeof expiresAt !== 'number') return undefined
  return expiresAt > Date.now() ? { userId, generation, transport, method, expiresAt } : undefined
}
