import { HEX } from './bytes.ts'

/** Random bytes from the platform's CSPRNG. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length))
}

// Every request makes three ids. One large draw costs hardly more than one small draw, so ids share one. They name
// things and are no secrets; secrets take `randomBytes`.
const POOL_SIZE = 2048
let pool = new Uint8Array(0)
let used = 0

function randomByte(): number {
  if (used === pool.length) {
    pool = randomBytes(POOL_SIZE)
    used = 0
  }
  return pool[used++] as number
}

function randomHex(length: number): string {
  let hex = ''
  for (let i = 0; i < length; i++) hex += HEX[randomByte()]
  return hex
}

// Many ids are made within one millisecond, which all begin alike.
let begun = Number.NaN
let beginning = ''

/**
 * A UUID version 7 (RFC 9562, section 5.7): sorts by time of making, so that B-tree inserts stay local.
 * 74 bits are random. Not a secret: it tells when it was made.
 */
export function uuidv7(now: number = Date.now()): string {
  if (now !== begun) {
    const time = Math.floor(now).toString(16).padStart(12, '0')
    beginning = `${time.slice(0, 8)}-${time.slice(8, 12)}-`
    begun = now
  }
  const version = HEX[(randomByte() & 0x0f) | 0x70]
  const variant = HEX[(randomByte() & 0x3f) | 0x80]
  return `${beginning}${version}${randomHex(1)}-${variant}${randomHex(1)}-${randomHex(6)}`
}

/** A W3C trace id: 32 hexadecimal digits, never all zero. */
export function traceId(): string {
  return randomHex(16)
}

/** A W3C span id: 16 hexadecimal digits. */
export function spanId(): string {
  return randomHex(8)
}
