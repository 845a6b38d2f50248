const utf8 = new TextEncoder()

/** UTF-8 bytes of a string. */
export function toBytes(text: string): Uint8Array<ArrayBuffer> {
  return utf8.encode(text) as Uint8Array<ArrayBuffer>
}

/** Two digits for each byte. */
export const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
)

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let out = ''
  for (let i = 0; i < bytes.length; i++) out += HEX[bytes[i] as number]
  return out
}

/** Base64url without padding (RFC 4648, section 5). */
export function toBase64Url(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

const SIXES = new Int8Array(128).fill(-1)
for (const [i, char] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].entries()) {
  SIXES[char.charCodeAt(0)] = i
}

/** The bytes of unpadded base64url, or undefined when the text is not the one canonical form of any bytes. */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  const { length } = text
  if (length % 4 === 1) return undefined
  const bytes = new Uint8Array((length * 3) >> 2)
  let at = 0
  let held = 0
  let bits = 0
  for (let i = 0; i < length; i++) {
    const six = SIXES[text.charCodeAt(i)] ?? -1
    if (six < 0) return undefined
    held = (held << 6) | six
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = held >> bits
      held &= (1 << bits) - 1
    }
  }
  // Bits that no byte has room for must be zero, else the same bytes would have several texts.
  return held === 0 ? bytes : undefined
}
