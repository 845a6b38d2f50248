import { fromBase64Url, toBytes, toHex } from '../core/bytes.ts'

/** A key that backups are made under: 32 random bytes, kept apart from the backups. */
export interface MasterKey {
  /** Names the key in manifests without telling anything about it. */
  readonly id: string
  readonly material: CryptoKey
}

/** What one backup is sealed with. */
export interface BackupKeys {
  /** AES-256-GCM, for chunks. */
  readonly seal: CryptoKey
  /** HMAC-SHA-256, for the manifest. */
  readonly sign: CryptoKey
}

function keyBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) {
    return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
  }
  const url = text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
  const bytes = fromBase64Url(url)
  return bytes?.length === 32 ? bytes : undefined
}

/**
 * Checks the form of a key without using it.
 * @throws TypeError when it is not 32 bytes in base64, base64url or hexadecimal.
 */
export function checkKey(text: string): void {
  if (keyBytes(text) === undefined) {
    throw new TypeError(
      'backup: an encryption key is 32 random bytes in base64 or hexadecimal (openssl rand -base64 32)',
    )
  }
}

function hkdf(salt: Uint8Array<ArrayBuffer>, info: string): SubtleCryptoDeriveKeyAlgorithm {
  return { name: 'HKDF', hash: 'SHA-256', salt, info: toBytes(`breakwater backup v1 ${info}`) }
}

const NO_SALT = new Uint8Array(0)

/** @throws TypeError as {@link checkKey}. */
export async function importKey(text: string): Promise<MasterKey> {
  checkKey(text)
  const material = await crypto.subtle.importKey('raw', keyBytes(text) ?? NO_SALT, 'HKDF', false, [
    'deriveBits',
    'deriveKey',
  ])
  const id = await crypto.subtle.deriveBits(hkdf(NO_SALT, 'key id'), material, 64)
  return { id: toHex(new Uint8Array(id)), material }
}

/**
 * The keys of one backup, from the master key and the backup's own random salt (HKDF, RFC 5869). A chunk key is used
 * by one backup only, so that a counter is a nonce that cannot repeat.
 */
export async function deriveKeys(master: MasterKey, salt: Uint8Array<ArrayBuffer>): Promise<BackupKeys> {
  const [seal, sign] = await Promise.all([
    crypto.subtle.deriveKey(hkdf(salt, 'chunks'), master.material, { name: 'AES-GCM', length: 256 }, false, [
      'encrypt',
      'decrypt',
    ]),
    crypto.subtle.deriveKey(
      hkdf(salt, 'manifest'),
      master.material,
      { name: 'HMAC', hash: 'SHA-256', length: 256 },
      false,
      ['sign', 'verify'],
    ),
  ])
  return { seal, sign }
}
