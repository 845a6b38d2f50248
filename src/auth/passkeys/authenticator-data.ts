import { toHex } from '../../core/bytes.ts'
import { readCbor } from './cbor.ts'

/** A credential that was just made. */
export interface AttestedCredential {
  /** The authenticator's model, as a UUID. */
  readonly aaguid: string
  readonly id: Uint8Array<ArrayBuffer>
  /** COSE_Key. */
  readonly publicKey: Uint8Array<ArrayBuffer>
}

/** What an authenticator says and signs (WebAuthn, section 6.1). */
export interface AuthenticatorData {
  /** SHA-256 of the relying party's id. */
  readonly rpIdHash: Uint8Array<ArrayBuffer>
  readonly userPresent: boolean
  readonly userVerified: boolean
  readonly backupEligible: boolean
  readonly backedUp: boolean
  readonly counter: number
  readonly credential: AttestedCredential | undefined
}

const HEADER = 37
const MAX_CREDENTIAL_ID = 1023

/**
 * Reads authenticator data.
 * @throws RangeError when it is anything else
 */
export function readAuthenticatorData(bytes: Uint8Array<ArrayBuffer>): AuthenticatorData {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const flags = view.getUint8(32)
  const counter = view.getUint32(33)
  let at = HEADER
  let credential: AttestedCredential | undefined
  if (flags & 0x40) {
    const length = view.getUint16(at + 16)
    const [idAt, keyAt] = [at + 18, at + 18 + length]
    if (length === 0 || length > MAX_CREDENTIAL_ID)
      throw new RangeError('A credential id of that length is none')
    const { end } = readCbor(bytes, keyAt)
    const hex = toHex(bytes.subarray(at, at + 16))
    credential = {
      aaguid: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
      id: bytes.slice(idAt, keyAt),
      publicKey: bytes.slice(keyAt, end),
    }
    at = end
  }
  if (flags & 0x80) at = readCbor(bytes, at).end
  if (at !== bytes.length) throw new RangeError('Authenticator data has something left over')
  const [backupEligible, backedUp] = [(flags & 0x08) !== 0, (flags & 0x10) !== 0]
  if (backedUp && !backupEligible) throw new RangeError('What cannot be backed up has been')
  return {
    rpIdHash: bytes.slice(0, 32),
    userPresent: (flags & 0x01) !== 0,
    userVerified: (flags & 0x04) !== 0,
    backupEligible,
    backedUp,
    counter,
    credential,
  }
}
