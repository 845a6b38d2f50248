import { toHex } from './bytes.ts'

/** Random bytes from the platform's CSPRNG. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length))
}

/**
 * A UUID version 7 (RFC 9562, section 5.7): sorts by time of making, so that B-tree inserts stay local.
 * 74 bits are random. Not a secret: it tells when it was made.
 */
export function uuidv7(now: number = Date.now()): string {
  const bytes = randomBytes(16)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, Math.floor(now / 2 ** 32))
  view.setUint32(2, now % 2 ** 32)
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x70)
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80)
  const hex = toHex(bytes)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** A W3C trace id: 32 hexadecimal digits, never all zero. */
export function traceId(): string {
  return toHex(randomBytes(16))
}

/** A W3C span id: 16 hexadecimal digits. */
export function spanId(): string {
  return toHex(randomBytes(8))
}
