import { fromBase64Url, toBase64Url, toBytes } from '../../core/bytes.ts'
import { sha256, timingSafeEqual } from '../../core/crypto.ts'
import { type AuthenticatorData, readAuthenticatorData } from './authenticator-data.ts'
import { readCborMap } from './cbor.ts'
import { importCoseKey } from './cose-key.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** What a browser gives for a new passkey: `PublicKeyCredential.toJSON()` (WebAuthn Level 3, section 5.1). */
export interface RegistrationResponse {
  readonly id: string
  readonly rawId: string
  readonly type: string
  readonly response: {
    readonly clientDataJSON: string
    readonly attestationObject: string
    readonly transports?: readonly string[]
  }
}

/** What a browser gives for a passkey that was used, by `PublicKeyCredential.toJSON()`. */
export interface AssertionResponse {
  readonly id: string
  readonly rawId: string
  readonly type: string
  readonly response: {
    readonly clientDataJSON: string
    readonly authenticatorData: string
    readonly signature: string
    readonly userHandle?: string | null
  }
}

/** What must be true of a ceremony. */
export interface Expected {
  /** The challenge, base64url. */
  readonly challenge: string
  readonly origins: readonly string[]
  readonly rpId: string
}

/** A new passkey, as it is stored. */
export interface NewCredential {
  /** Base64url. */
  readonly credentialId: string
  /** COSE_Key, base64url. */
  readonly publicKey: string
  readonly counter: number
  readonly transports: readonly string[]
  readonly backupEligible: boolean
  readonly backedUp: boolean
  readonly aaguid: string
}

/** What a use of a passkey tells. */
export interface VerifiedAssertion {
  readonly counter: number
  readonly backedUp: boolean
}

/**
 * Checks what authenticators say. User presence and user verification are required of both. Whether the counter
 * went backwards is judged by the caller.
 */
export interface WebAuthnVerifier {
  /** @throws Error when anything is not as it must be */
  registration(response: RegistrationResponse, expected: Expected): Promise<NewCredential>
  /** @throws Error when anything is not as it must be */
  assertion(
    response: AssertionResponse,
    credential: { readonly credentialId: string; readonly publicKey: string },
    expected: Expected,
  ): Promise<VerifiedAssertion>
}

const TRANSPORTS: readonly string[] = ['ble', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb']
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new RangeError(`WebAuthn: ${what}`)
}

function decoded(text: string, what: string): Bytes {
  const bytes = fromBase64Url(text)
  must(bytes !== undefined, `${what} is not base64url`)
  return bytes
}

/** The challenge that a response claims to answer, before anything is believed. Undefined when it claims none. */
export function claimedChallenge(clientDataJSON: string): string | undefined {
  const bytes = fromBase64Url(clientDataJSON)
  if (bytes === undefined) return undefined
  try {
    const { challenge } = JSON.parse(utf8.decode(bytes)) as { readonly challenge?: unknown }
    return typeof challenge === 'string' ? challenge : undefined
  } catch {
    return undefined
  }
}

/** What the browser says (section 5.8.1). Gives the bytes, whose hash is part of what is signed. */
function checkClientData(json: string, type: string, { challenge, origins }: Expected): Bytes {
  const bytes = decoded(json, 'clientDataJSON')
  const said: unknown = JSON.parse(utf8.decode(bytes))
  must(typeof said === 'object' && said !== null, 'clientDataJSON is no object')
  const data = said as Readonly<
    Record<'type' | 'challenge' | 'origin' | 'crossOrigin' | 'topOrigin', unknown>
  >
  must(data.type === type, 'the ceremony is another one')
  must(data.challenge === challenge, 'the challenge is another one')
  must(typeof data.origin === 'string' && origins.includes(data.origin), 'the origin is another one')
  // A page of somebody else's that has ours in a frame is not where people should be asked.
  must(data.crossOrigin !== true && data.topOrigin === undefined, 'the page was in a frame of another origin')
  return bytes
}

async function checkAuthenticator(data: AuthenticatorData, rpId: string): Promise<void> {
  must(timingSafeEqual(data.rpIdHash, await sha256(toBytes(rpId))), 'the relying party is another one')
  must(data.userPresent, 'nobody was there')
  must(data.userVerified, 'the authenticator did not make sure who was there')
}

function checkCredential({ id, rawId, type }: RegistrationResponse | AssertionResponse): void {
  must(type === 'public-key', 'the credential is of another type')
  must(id === rawId && fromBase64Url(id) !== undefined, 'the credential has no proper id')
}

/**
 * The checks of WebAuthn Level 3, sections 7.1 and 7.2, for passkeys without attestation: which make an authenticator
 * is, is not asked, and what is said of it is not looked at.
 */
export const webauthn: WebAuthnVerifier = {
  async registration(response, expected) {
    checkCredential(response)
    checkClientData(response.response.clientDataJSON, 'webauthn.create', expected)
    const object = readCborMap(decoded(response.response.attestationObject, 'attestationObject'))
    const authData = object.get('authData')
    const stated = typeof object.get('fmt') === 'string' && object.get('attStmt') instanceof Map
    must(stated && authData instanceof Uint8Array, 'the attestation is malformed')
    const data = readAuthenticatorData(authData)
    await checkAuthenticator(data, expected.rpId)
    const { credential } = data
    must(credential !== undefined, 'there is no credential')
    const credentialId = toBase64Url(credential.id)
    must(credentialId === response.id, 'the credential has two ids')
    await importCoseKey(credential.publicKey)
    return {
      credentialId,
      publicKey: toBase64Url(credential.publicKey),
      counter: data.counter,
      transports: TRANSPORTS.filter((name) => response.response.transports?.includes(name)),
      backupEligible: data.backupEligible,
      backedUp: data.backedUp,
      aaguid: credential.aaguid,
    }
  },

  async assertion(response, credential, expected) {
    checkCredential(response)
    must(response.id === credential.credentialId, 'the credential is another one')
    const clientData = checkClientData(response.response.clientDataJSON, 'webauthn.get', expected)
    const authData = decoded(response.response.authenticatorData, 'authenticatorData')
    const data = readAuthenticatorData(authData)
    await checkAuthenticator(data, expected.rpId)
    const signed = new Uint8Array(authData.length + 32)
    signed.set(authData)
    signed.set(await sha256(clientData), authData.length)
    const key = await importCoseKey(decoded(credential.publicKey, 'the public key'))
    const signature = decoded(response.response.signature, 'signature')
    must(await key.verify(signature, signed), 'the signature is wrong')
    return { counter: data.counter, backedUp: data.backedUp }
  },
}
