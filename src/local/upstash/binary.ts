// Inside the store a string is a sequence of bytes, one character each, as Redis has it: lengths, ranges and the
// order of members are then the plain string operations. Text turns into bytes and back at the REST front only.

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is exactly ASCII
const ASCII = /^[\x00-\x7f]*$/

/** The UTF-8 bytes of a text, one character per byte. */
export function toBinary(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** The text whose UTF-8 bytes these are; bytes that are not UTF-8 become U+FFFD. */
export function fromBinary(binary: string): string {
  return ASCII.test(binary) ? binary : Buffer.from(binary, 'latin1').toString('utf8')
}

/** Base64 (RFC 4648, section 4) of a binary string. */
export function binaryToBase64(binary: string): string {
  return Buffer.from(binary, 'latin1').toString('base64')
}

/** Orders binary strings by their bytes. */
export function compareBinary(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
