/**
 * The SHA-256 in a `Repr-Digest` or `Content-Digest` field (RFC 9530), as 64 hexadecimal digits.
 * The field is a dictionary of byte sequences: `sha-256=:base64:`. Other algorithms are passed over, as the
 * RFC asks.
 * @returns `undefined` when the field has no SHA-256, `null` when it has one that cannot be read.
 */
export function sha256Field(value: string | null | undefined): string | null | undefined {
  if (value === null || value === undefined) return undefined
  for (const member of value.split(',')) {
    const [name, ...rest] = member.trim().split('=')
    if (name !== 'sha-256') continue
    const match = /^:([A-Za-z0-9+/]{43}=):$/.exec(rest.join('='))
    if (match === null) return null
    let hex = ''
    for (const char of atob(match[1] as string)) hex += char.charCodeAt(0).toString(16).padStart(2, '0')
    return hex
  }
  return undefined
}

/** A SHA-256 of 64 hexadecimal digits as a `Repr-Digest` field value. */
export function toDigestField(hex: string): string {
  let binary = ''
  for (let i = 0; i < hex.length; i += 2)
    binary += String.fromCharCode(Number.parseInt(hex.slice(i, i + 2), 16))
  return `sha-256=:${btoa(binary)}:`
}
