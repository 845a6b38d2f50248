import { toBase64Url } from '../../core/bytes.ts'
import { type Cbor, readCborMap } from './cbor.ts'

/** The algorithms a passkey may have, the best first (RFC 9053): EdDSA, ES256 and RS256. */
export const ALGORITHMS: readonly number[] = [-8, -7, -257]

type Bytes = Uint8Array<ArrayBuffer>

/** A public key, and how it is used. */
export interface PublicKey {
  /** Whether `signature`, in the form that WebAuthn gives it, is by this key and over `data`. */
  verify(signature: Bytes, data: Bytes): Promise<boolean>
}

const bytesOf = (value: Cbor | undefined, length?: number): Bytes => {
  if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length)) {
    throw new RangeError('A parameter of the key is missing or malformed')
  }
  return value
}

/** An integer of DER as 32 bytes; says where it ends. */
function readInteger(der: Bytes, at: number): { readonly bytes: Bytes; readonly end: number } {
  const length = der[at + 1] ?? 0
  const end = at + 2 + length
  const digits = der.subarray(at + 2, end)
  const padded = digits[0] === 0 && digits.length > 1
  const number = padded ? digits.subarray(1) : digits
  const negative = ((digits[0] ?? 0x80) & 0x80) !== 0
  // A zero in front says that the number is positive, and stands nowhere else.
  const longer = padded && ((digits[1] ?? 0) & 0x80) === 0
  if (der[at] !== 0x02 || end > der.length || negative || longer || number.length > 32) {
    throw new RangeError('An ECDSA signature in another form than DER')
  }
  const bytes = new Uint8Array(32)
  bytes.set(number, 32 - number.length)
  return { bytes, end }
}

/** Authenticators write ECDSA signatures in DER (section 6.5.5); WebCrypto reads the two numbers alone. */
export function rawSignature(der: Bytes): Bytes {
  if (der[0] !== 0x30 || der[1] !== der.length - 2 || der.length > 72) {
    throw new RangeError('An ECDSA signature in another form than DER')
  }
  const r = readInteger(der, 2)
  const s = readInteger(der, r.end)
  if (s.end !== der.length) throw new RangeError('An ECDSA signature in another form than DER')
  const raw = new Uint8Array(64)
  raw.set(r.bytes)
  raw.set(s.bytes, 32)
  return raw
}

/**
 * Reads a COSE_Key (RFC 9052, section 7) of one of {@link ALGORITHMS}.
 * @throws RangeError, or WebCrypto's DOMException, when it is no such key
 */
export async function importCoseKey(cose: Bytes): Promise<PublicKey> {
  const key = readCborMap(cose)
  const [type, algorithm, curve] = [key.get(1), key.get(3), key.get(-1)]
  const { subtle } = crypto
  if (type === 2 && algorithm === -7 && curve === 1) {
    const point = new Uint8Array(65)
    point[0] = 4
    point.set(bytesOf(key.get(-2), 32), 1)
    point.set(bytesOf(key.get(-3), 32), 33)
    const imported = await subtle.importKey('raw', point, { name: 'ECDSA', namedCurve: 'P-256' }, false, [
      'verify',
    ])
    const by = { name: 'ECDSA', hash: 'SHA-256' }
    return { verify: async (signature, data) => subtle.verify(by, imported, rawSignature(signature), data) }
  }
  if (type === 1 && algorithm === -8 && curve === 6) {
    const imported = await subtle.importKey('raw', bytesOf(key.get(-2), 32), 'Ed25519', false, ['verify'])
    return { verify: async (signature, data) => subtle.verify('Ed25519', imported, signature, data) }
  }
  if (type === 3 && algorithm === -257) {
    const modulus = bytesOf(key.get(-1))
    if (modulus.length < 256 || modulus.length > 512)
      throw new RangeError('An RSA key of a size that is not taken')
    const jwk = { kty: 'RSA', n: toBase64Url(modulus), e: toBase64Url(bytesOf(key.get(-2))) }
    const by = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    const imported = await subtle.importKey('jwk', jwk, by, false, ['verify'])
    return { verify: async (signature, data) => subtle.verify(by.name, imported, signature, data) }
  }
  throw new RangeError('A key of an algorithm that was not asked for')
}
