import { fromBase64Url, toBase64Url, toHex } from '../core/bytes.ts'
import { sha256 } from '../core/crypto.ts'
import { randomBytes } from '../core/index.ts'

/**
 * A secret that names its own row: 16 bytes of id and 32 bytes of secret, in base64url. The id finds the row,
 * the secret is compared by its hash, so neither an index nor a comparison tells anything about secrets.
 */
export interface Token {
  /** UUID of the row. */
  readonly id: string
  /** 32 bytes. */
  readonly secret: Uint8Array<ArrayBuffer>
}

const ID_BYTES = 16
const SECRET_BYTES = 32

/** Length of a token's text form. */
const TOKEN_LENGTH = 64

/** A fresh secret: 256 bits from the platform's CSPRNG. */
export function randomSecret(): Uint8Array<ArrayBuffer> {
  return randomBytes(SECRET_BYTES)
}

/** Writes a token: 64 characters that need no escaping in a cookie, a URL or a header. */
export function formatToken(token: Token): string {
  const bytes = new Uint8Array(ID_BYTES + SECRET_BYTES)
  const hex = token.id.replaceAll('-', '')
  for (let i = 0; i < ID_BYTES; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  bytes.set(token.secret, ID_BYTES)
  return toBase64Url(bytes)
}

/** Reads a token, or gives undefined for anything that {@link formatToken} would not write. Never throws. */
export function parseToken(text: string | undefined): Token | undefined {
  if (text === undefined || text.length !== TOKEN_LENGTH) return undefined
  const bytes = fromBase64Url(text)
  if (bytes === undefined) return undefined
  const hex = toHex(bytes.subarray(0, ID_BYTES))
  const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  return { id, secret: bytes.slice(ID_BYTES) }
}

/** What is stored of a secret: SHA-256 in base64url. A 256-bit random secret needs no slow hash. */
export async function hashSecret(secret: Uint8Array<ArrayBuffer>): Promise<string> {
  return toBase64Url(await sha256(secret))
}

/** Whether a text is a UUID in the form Postgres writes. */
export function isUuid(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}
