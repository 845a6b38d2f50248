import { fromBase64Url, toBase64Url } from '../core/bytes.ts'
import { hmac, verifyHmac } from '../core/crypto.ts'
import type { Secrets } from './mail-token.ts'
import { type Claim, readClaim, writeIdentity } from './session-cache.ts'
import type { Identity } from './session-store.ts'

/**
 * A bearer token that says whose session it is for a few minutes. One algorithm, one purpose, one audience, all
 * of them in what is signed and none in the token, so that there is nothing for a forger to choose (ASVS 9.1, 9.2).
 */
const PREFIX = 'bwat_'
const MAX_LENGTH = 2048

const signed = (audience: string, payload: string) => `breakwater/auth/access/1\n${audience}\n${payload}`

/** The token of an `Authorization: Bearer` header, when it is one of ours by its looks. */
export function bearerOf(header: string | undefined, prefix: string = PREFIX): string | undefined {
  const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(header ?? '')?.[1]
  return token?.startsWith(prefix) && token.length <= MAX_LENGTH ? token : undefined
}

/** Writes an access token for the application at `audience`, its origin. */
export async function sealAccessToken(
  secrets: Secrets,
  audience: string,
  identity: Identity,
  issuedAt: number,
): Promise<string> {
  const payload = writeIdentity(identity, issuedAt)
  return `${PREFIX}${payload}.${toBase64Url(await hmac(secrets[0], signed(audience, payload)))}`
}

/** Reads the form of an access token. Nothing it says may be believed until {@link verifyAccessToken} agrees. Never throws. */
export function readAccessToken(token: string): Claim | undefined {
  return readClaim(token.slice(PREFIX.length))
}

/** Whether we wrote an access token, for this audience. Never throws. */
export async function verifyAccessToken(secrets: Secrets, audience: string, token: string): Promise<boolean> {
  const [payload = '', mac = '', ...more] = token.slice(PREFIX.length).split('.')
  const signature = fromBase64Url(mac)
  if (more.length > 0 || signature?.length !== 32) return false
  return verifyHmac(secrets, signed(audience, payload), signature)
}
