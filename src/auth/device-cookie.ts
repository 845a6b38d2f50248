import { fromBase64Url, toBase64Url } from '../core/bytes.ts'
import { hmac, verifyHmac } from '../core/crypto.ts'
import { randomBytes } from '../core/index.ts'
import type { Secrets } from './mail-token.ts'

/**
 * A device that has signed in to an account before gets tries of its own, so that a stranger who uses up the
 * account's cannot lock its owner out (OWASP's device cookies; ASVS 6.1.1). It proves nothing else.
 */
const NONCE_BYTES = 16

const signed = (email: string, nonce: string) => `breakwater/auth/device/1\n${email}\n${nonce}`

/** A cookie that says: this device has signed in to this account. */
export async function sealDevice(secrets: Secrets, email: string): Promise<string> {
  const nonce = toBase64Url(randomBytes(NONCE_BYTES))
  return `${nonce}.${toBase64Url(await hmac(secrets[0], signed(email, nonce)))}`
}

/** The device's nonce, if the cookie is ours and for this account. Never throws. */
export async function openDevice(
  secrets: Secrets,
  email: string,
  cookie: string | undefined,
): Promise<string | undefined> {
  if (cookie === undefined || cookie.length > 128) return undefined
  const [nonce = '', mac = '', ...more] = cookie.split('.')
  const signature = fromBase64Url(mac)
  if (more.length > 0 || signature?.length !== 32 || fromBase64Url(nonce)?.length !== NONCE_BYTES)
    return undefined
  return (await verifyHmac(secrets, signed(email, nonce), signature)) ? nonce : undefined
}
