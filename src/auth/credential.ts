import { fromBase64Url, toBase64Url, toBytes } from '../core/bytes.ts'
import { hmac, sha256, verifyHmac } from '../core/crypto.ts'
import { uuidv7 } from '../core/index.ts'
import type { Secrets } from './mail-token.ts'
import { formatToken, hashSecret, parseToken, randomSecret, type Token } from './token.ts'

/** How a session travels: in a cookie, or as a refresh token with short access tokens. */
export type Transport = 'cookie' | 'token'

/** What is made for a new session. */
export interface Credential {
  readonly id: string
  readonly transport: Transport
  /** What the row has. */
  readonly hash: string
  /** What the person's device gets. */
  readonly text: string
}

/** A refresh token, read. */
export interface RefreshToken extends Token {
  /** How often it was rotated. */
  readonly counter: number
}

const PREFIX = 'bwrt_'
const COUNTER_DIGITS = 8
const MAC_LENGTH = 43
const LABEL = 'breakwater/auth/refresh/1'

/**
 * What is stored of a refresh token's secret. Not what is stored of a cookie's: a refresh token that is cut down
 * to its first part must not pass for a cookie that never rotates.
 */
export async function hashRefreshSecret(secret: Uint8Array<ArrayBuffer>): Promise<string> {
  const label = toBytes(`${LABEL}\n`)
  const bytes = new Uint8Array(label.length + secret.length)
  bytes.set(label)
  bytes.set(secret, label.length)
  return toBase64Url(await sha256(bytes))
}

/**
 * Writes a refresh token: the session's id and secret, a counter, and a signature over both. The secret stays for
 * the life of the session, so one row is enough; the signature keeps a thief from counting on by himself. What is
 * in the database is not enough to make one, and neither are the application's secrets.
 */
export async function formatRefreshToken(
  secrets: Secrets,
  { id, secret, counter }: RefreshToken,
): Promise<string> {
  const head = `${formatToken({ id, secret })}${counter.toString(16).padStart(COUNTER_DIGITS, '0')}`
  return `${PREFIX}${head}${toBase64Url(await hmac(secrets[0], `${LABEL}\n${head}`))}`
}

/** Reads a refresh token that was signed by one of our secrets; undefined for anything else. Never throws. */
export async function parseRefreshToken(secrets: Secrets, text: string): Promise<RefreshToken | undefined> {
  const length = PREFIX.length + 64 + COUNTER_DIGITS + MAC_LENGTH
  if (text.length !== length || !text.startsWith(PREFIX)) return undefined
  const head = text.slice(PREFIX.length, -MAC_LENGTH)
  const token = parseToken(head.slice(0, 64))
  const digits = head.slice(64)
  const mac = fromBase64Url(text.slice(-MAC_LENGTH))
  if (token === undefined || mac?.length !== 32 || !/^[0-9a-f]{8}$/.test(digits)) return undefined
  if (!(await verifyHmac(secrets, `${LABEL}\n${head}`, mac))) return undefined
  return { ...token, counter: Number.parseInt(digits, 16) }
}

/** A fresh credential for a new session. */
export async function newCredential(secrets: Secrets, transport: Transport): Promise<Credential> {
  const token = { id: uuidv7(), secret: randomSecret() }
  if (transport === 'cookie') {
    return { id: token.id, transport, hash: await hashSecret(token.secret), text: formatToken(token) }
  }
  const [hash, text] = await Promise.all([
    hashRefreshSecret(token.secret),
    formatRefreshToken(secrets, { ...token, counter: 0 }),
  ])
  return { id: token.id, transport, hash, text }
}
