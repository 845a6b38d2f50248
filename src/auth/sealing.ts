import { fromBase64Url, toBase64Url, toBytes } from '../core/bytes.ts'
import { hmac, sha256 } from '../core/crypto.ts'
import { randomBytes } from '../core/index.ts'
import type { Secrets } from './mail-token.ts'

/**
 * Encrypts what must be read again, such as the secret of an authenticator app: AES-256-GCM under a key derived
 * from the application's secrets, bound to whose it is.
 */
const NONCE_BYTES = 12

/** Names a secret without telling anything about it. */
export async function keyId(secret: string): Promise<string> {
  return toBase64Url((await sha256(`breakwater/auth/key-id/1\n${secret}`)).subarray(0, 6))
}

async function keyOf(secret: string): Promise<CryptoKey> {
  const bytes = await hmac(secret, 'breakwater/auth/sealing/1')
  return crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt'])
}

/** `<key id>.<nonce>.<ciphertext>`, under the newest secret. */
export async function seal(secrets: Secrets, owner: string, plain: Uint8Array<ArrayBuffer>): Promise<string> {
  const iv = randomBytes(NONCE_BYTES)
  const algorithm = { name: 'AES-GCM', iv, additionalData: toBytes(owner) }
  const sealed = new Uint8Array(await crypto.subtle.encrypt(algorithm, await keyOf(secrets[0]), plain))
  return `${await keyId(secrets[0])}.${toBase64Url(iv)}.${toBase64Url(sealed)}`
}

/** Opens what {@link seal} made for this owner; undefined for anything else, or when its secret was retired. Never throws. */
export async function unseal(
  secrets: Secrets,
  owner: string,
  text: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const [id = '', nonce = '', body = '', ...more] = text.split('.')
  const [iv, sealed] = [fromBase64Url(nonce), fromBase64Url(body)]
  if (more.length > 0 || iv?.length !== NONCE_BYTES || sealed === undefined) return undefined
  for (const secret of secrets) {
    if ((await keyId(secret)) !== id) continue
    try {
      const algorithm = { name: 'AES-GCM', iv, additionalData: toBytes(owner) }
      return new Uint8Array(await crypto.subtle.decrypt(algorithm, await keyOf(secret), sealed))
    } catch {
      return undefined
    }
  }
  return undefined
}
