import { badUpload } from '../errors.ts'

/** The version of the protocol. */
export const TUS_VERSION = '1.0.0'

/** The extensions that are served. */
export const TUS_EXTENSIONS =
  'creation,creation-with-upload,creation-defer-length,expiration,checksum,termination'

/** Checksum algorithms by tus's names, in WebCrypto's. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha512: 'SHA-512',
  md5: 'MD5',
}

/** `Tus-Checksum-Algorithm`. */
export const TUS_CHECKSUMS: string = Object.keys(ALGORITHMS).join(',')

/** The content type of bytes. */
export const OFFSET_STREAM = 'application/offset+octet-stream'

const DIGEST_BYTES: Readonly<Record<string, number>> = { 'SHA-1': 20, 'SHA-256': 32, 'SHA-512': 64, MD5: 16 }

/** A header field that holds a number of bytes. @throws BreakwaterError 400 when it is something else. */
export function bytesField(headers: Headers, name: string): number | undefined {
  const value = headers.get(name)
  if (value === null) return undefined
  if (!/^(0|[1-9]\d{0,14})$/.test(value)) throw badUpload(`${name} is not a whole number of bytes.`)
  return Number(value)
}

/** `Upload-Checksum`. */
export interface Checksum {
  /** WebCrypto's name. */
  readonly algorithm: 'SHA-1' | 'SHA-256' | 'SHA-512' | 'MD5'
  /** Base64. */
  readonly value: string
}

/** @throws BreakwaterError 400 when the algorithm is not served or the value cannot be one of it. */
export function checksumField(headers: Headers): Checksum | undefined {
  const field = headers.get('upload-checksum')
  if (field === null) return undefined
  const [name = '', value = '', ...rest] = field.trim().split(' ')
  const algorithm = Object.hasOwn(ALGORITHMS, name) ? ALGORITHMS[name] : undefined
  if (algorithm === undefined || rest.length > 0) {
    throw badUpload(`Upload-Checksum names no algorithm that is served: ${TUS_CHECKSUMS}.`)
  }
  if (decode(value)?.length !== DIGEST_BYTES[algorithm]) {
    throw badUpload('Upload-Checksum holds no checksum of its algorithm.')
  }
  return { algorithm: algorithm as Checksum['algorithm'], value }
}

function decode(base64: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0) return undefined
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
}

const MAX_METADATA = 8192

/**
 * `Upload-Metadata`: keys and values of base64, in UTF-8 where it is text.
 * @throws BreakwaterError 400 when it is malformed, names a key twice, or is longer than 8 KiB.
 */
export function metadataField(value: string | null): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  if (value === null || value === '') return found
  const wrong = (): never => {
    throw badUpload('Upload-Metadata is malformed: write `key base64`, with commas between.')
  }
  if (value.length > MAX_METADATA) wrong()
  for (const pair of value.split(',')) {
    const [key = '', encoded = '', ...rest] = pair.trim().split(' ')
    if (!/^[\x21-\x2b\x2d-\x7e]+$/.test(key) || rest.length > 0 || found.has(key)) wrong()
    const bytes = decode(encoded)
    found.set(key, new TextDecoder().decode(bytes ?? wrong()))
  }
  return found
}
