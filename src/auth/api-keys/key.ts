import { toBase64Url, toBytes } from '../../core/bytes.ts'
import { sha256 } from '../../core/crypto.ts'
import { randomBytes } from '../../core/index.ts'

/**
 * The text of an API key: a prefix that people and secret scanners recognise, 43 random characters of base62
 * (256 bits), and six more that are the CRC-32 of all before them. Whatever is no key, or was cut or mistyped, is
 * told from one without asking anybody.
 */
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RANDOM_LENGTH = 43
const CHECKSUM_LENGTH = 6

/** What keys begin with unless the application says otherwise. */
export const KEY_PREFIX = 'bwk_'

/** CRC-32 as in ISO 3309 and ITU-T V.42 (polynomial 0xEDB88320, reflected). */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0)
  }
  return ~crc >>> 0
}

function checksum(text: string): string {
  let left = crc32(toBytes(text))
  let out = ''
  for (let i = 0; i < CHECKSUM_LENGTH; i++, left = Math.floor(left / 62)) out = ALPHABET[left % 62] + out
  return out
}

function randomText(): string {
  let out = ''
  while (out.length < RANDOM_LENGTH) {
    // 248 is the largest multiple of 62 in a byte: the remainder would favour the first characters.
    for (const byte of randomBytes(64)) {
      if (byte < 248 && out.length < RANDOM_LENGTH) out += ALPHABET[byte % 62]
    }
  }
  return out
}

/** Whether a text is seen to be random by who masks logs, whatever stands before it. */
const looksRandom = (text: string) => /[a-z]/.test(text) && /[A-Z]/.test(text) && /\d[A-Za-z]/.test(text)

/** A fresh key. */
export function newKey(prefix: string): string {
  let random = randomText()
  // One in a few thousand has no digit, or no letter of one case.
  while (!looksRandom(random)) random = randomText()
  return `${prefix}${random}${checksum(prefix + random)}`
}

/** Whether a text has the form of a key, checksum included. Never throws. */
export function isKey(prefix: string, text: string): boolean {
  const body = text.slice(prefix.length)
  if (!text.startsWith(prefix) || body.length !== RANDOM_LENGTH + CHECKSUM_LENGTH) return false
  if (!/^[0-9A-Za-z]+$/.test(body)) return false
  return checksum(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH)
}

/** As much of a key as may be shown in a list. */
export function startOf(prefix: string, key: string): string {
  return key.slice(0, prefix.length + 4)
}

/** What is stored of a key. */
export async function hashKey(key: string): Promise<string> {
  return toBase64Url(await sha256(`breakwater/auth/api-key/1\n${key}`))
}
