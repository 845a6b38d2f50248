import { fromBase64Url, toBase64Url } from '../../core/bytes.ts'

/** A parsed PHC string: `$id$v=…$name=value,…$salt$hash`. */
export interface Phc {
  readonly id: string
  readonly version?: number
  readonly params: ReadonlyMap<string, number>
  readonly salt: Uint8Array<ArrayBuffer>
  readonly hash: Uint8Array<ArrayBuffer>
}

const PATTERN =
  /^\$([a-z0-9-]{1,32})(?:\$v=(\d{1,10}))?\$([a-z]+=\d{1,10}(?:,[a-z]+=\d{1,10})*)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

// PHC's B64 is base64 with the standard alphabet and no padding.
const toB64 = (bytes: Uint8Array) => toBase64Url(bytes).replaceAll('-', '+').replaceAll('_', '/')
const fromB64 = (text: string) => fromBase64Url(text.replaceAll('+', '-').replaceAll('/', '_'))

/** Writes a PHC string. */
export function formatPhc(phc: Phc): string {
  const version = phc.version === undefined ? '' : `$v=${phc.version}`
  const params = [...phc.params].map(([name, value]) => `${name}=${value}`).join(',')
  return `$${phc.id}${version}$${params}$${toB64(phc.salt)}$${toB64(phc.hash)}`
}

/** Reads a PHC string, or gives undefined for anything else. Never throws. */
export function parsePhc(text: string): Phc | undefined {
  const match = text.length > 512 ? null : PATTERN.exec(text)
  if (match === null) return undefined
  const [, id = '', version, list = '', salt64 = '', hash64 = ''] = match
  const salt = fromB64(salt64)
  const hash = fromB64(hash64)
  if (salt === undefined || hash === undefined) return undefined
  const params = new Map<string, number>()
  for (const pair of list.split(',')) {
    const [name = '', value = ''] = pair.split('=')
    if (params.has(name)) return undefined
    params.set(name, Number(value))
  }
  return { id, ...(version !== undefined && { version: Number(version) }), params, salt, hash }
}

/** The id of a PHC string, such as `argon2id`. */
export function phcId(text: string): string | undefined {
  return /^\$([a-z0-9-]{1,32})\$/.exec(text)?.[1]
}
