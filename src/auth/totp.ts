/** Time-based one-time passwords (RFC 6238 over RFC 4226): HMAC-SHA-1, six digits, steps of 30 seconds. */

const STEP_SECONDS = 30
const DIGITS = 6
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Bytes of a shared secret: as many as SHA-1 gives (RFC 4226, section 4). */
export const TOTP_SECRET_BYTES = 20

/** Base32 without padding (RFC 4648, section 6). */
export function toBase32(bytes: Uint8Array): string {
  let out = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff
    bits += 8
    for (; bits >= 5; bits -= 5) out += ALPHABET[(value >> (bits - 5)) & 31]
  }
  return bits > 0 ? out + ALPHABET[(value << (5 - bits)) & 31] : out
}

/** The step a moment falls into. */
export function stepAt(now: number): number {
  return Math.floor(now / 1000 / STEP_SECONDS)
}

/** The code of a step. `digits` other than six is for the published vectors. */
export async function totpCode(
  secret: Uint8Array<ArrayBuffer>,
  step: number,
  digits: number = DIGITS,
): Promise<string> {
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-1' }, false, ['sign'])
  const counter = new DataView(new ArrayBuffer(8))
  counter.setBigUint64(0, BigInt(step))
  const mac = new DataView(await crypto.subtle.sign('HMAC', key, counter.buffer))
  const number = mac.getUint32(mac.getUint8(mac.byteLength - 1) & 15) & 0x7fff_ffff
  return String(number % 10 ** digits).padStart(digits, '0')
}

/**
 * The step a code belongs to, if it is one of now, just before or just after, and later than `after`, the step of
 * the latest code that was used. Looks at all of them, whichever fits.
 */
export async function matchingStep(
  secret: Uint8Array<ArrayBuffer>,
  code: string,
  options: { readonly after: number; readonly now?: number },
): Promise<number | undefined> {
  if (!isTotpCode(code)) return undefined
  const current = stepAt(options.now ?? Date.now())
  let found: number | undefined
  for (const step of [current - 1, current, current + 1]) {
    if ((await totpCode(secret, step)) === code && step > options.after) found ??= step
  }
  return found
}

/** Whether a text has the form of a code. */
export function isTotpCode(text: string): boolean {
  return /^\d{6}$/.test(text)
}

/** The URI that authenticator apps read from a QR code. */
export function totpUri(secret: Uint8Array, account: string, issuer: string): string {
  const query = new URLSearchParams({
    secret: toBase32(secret),
    issuer,
    algorithm: 'SHA1',
    digits: String(DIGITS),
    period: String(STEP_SECONDS),
  })
  // Apps that do not decode "+" are common.
  return `otpauth://totp/${encodeURIComponent(issuer)}:${encodeURIComponent(account)}?${String(query).replaceAll('+', '%20')}`
}
