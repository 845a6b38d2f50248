import { toBytes } from './bytes.ts'

/** SHA-256. */
export async function sha256(data: Uint8Array<ArrayBuffer> | string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(
    await crypto.subtle.digest('SHA-256', typeof data === 'string' ? toBytes(data) : data),
  )
}

// Importing a key costs more than using it; secrets are few and live as long as the isolate.
const keys = new Map<string, Promise<CryptoKey>>()
const MAX_KEYS = 32

function hmacKey(secret: string): Promise<CryptoKey> {
  let key = keys.get(secret)
  if (key === undefined) {
    if (keys.size >= MAX_KEYS) keys.clear()
    key = crypto.subtle.importKey('raw', toBytes(secret), { name: 'HMAC', hash: 'SHA-256' }, false, [
      'sign',
      'verify',
    ])
    keys.set(secret, key)
  }
  return key
}

/** HMAC-SHA-256 (RFC 2104). */
export async function hmac(secret: string, data: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.sign('HMAC', await hmacKey(secret), toBytes(data)))
}

/**
 * Whether `signature` is the HMAC of `data` under any of the secrets (newest first, so that rotation costs
 * nothing in the usual case). Constant time in the content.
 */
export async function verifyHmac(
  secrets: readonly string[],
  data: string,
  signature: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const bytes = toBytes(data)
  for (const secret of secrets) {
    if (await crypto.subtle.verify('HMAC', await hmacKey(secret), signature, bytes)) return true
  }
  return false
}

/** Compares in time that depends on the lengths only. */
export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}
