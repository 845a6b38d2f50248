import { toHex } from './bytes.ts'

/** Random bytes from the platform's CSPRNG. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length))
}

// Every request makes three ids. One large draw costs hardly more than one small draw, so ids share one. They name
// things and are no secrets; secrets take `randomBytes`.
const POOL_SIZE = 2048
let pool = new Uint8Array(0)
let used = 0

function randomHex(length: number): string {
  if (used + length > pool.length) {
    pool = randomBytes(POOL_SIZE)
    used = 0
  }
  const hex = toHex(pool.subarray(used, used + length))
  used += length
  return hex
}

/**
 * A UUID version 7 (RFC 9562, section 5.7): sorts by time of making, so that B-tree inserts stay local.
 * 74 bits are random. Not a secret: it tells when it was made.
 */
export function uuidv7(now: number = Date.now()): string {
  const time = Math.floor(now).toString(16).padStart(12, '0')
  const random = randomHex(10)
  const variant = '89ab'.charAt(Number.parseInt(random.charAt(3), 16) & 3)
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`
}

/** A W3C trace id: 32 hexadecimal digits, never all zero. */
export function traceId(): string {
  return randomHex(16)
}

/** A W3C span id: 16 hexadecimal digits. */
export function spanId(): string {
  return randomHex(8)
}
