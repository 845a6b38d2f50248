import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type {
  AssertionResponse,
  CreationOptions,
  RegistrationResponse,
  RequestOptions,
} from 'breakwater/auth/passkeys'

/** What can be encoded: as much of CBOR as authenticators use. */
type Item =
  | number
  | string
  | Uint8Array
  | ReadonlyMap<number | string, Item>
  | { readonly [key: string]: Item }

function head(kind: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(kind << 5) | value])
  if (value < 256) return Buffer.from([(kind << 5) | 24, value])
  return Buffer.from([(kind << 5) | 25, value >> 8, value & 255])
}

/** Writes CBOR (RFC 8949). */
export function cbor(item: Item): Buffer {
  if (typeof item === 'number') return item < 0 ? head(1, -1 - item) : head(0, item)
  if (typeof item === 'string') {
    const bytes = Buffer.from(item)
    return Buffer.concat([head(3, bytes.length), bytes])
  }
  if (item instanceof Uint8Array) return Buffer.concat([head(2, item.length), item])
  const entries = item instanceof Map ? [...item] : Object.entries(item)
  return Buffer.concat([head(5, entries.length), ...entries.flatMap(([k, v]) => [cbor(k), cbor(v as Item)])])
}

export type Algorithm = 'ES256' | 'EdDSA' | 'RS256'

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest()
const bytesOf = (text: string | undefined) => Buffer.from(text ?? '', 'base64url')

function coseKey(algorithm: Algorithm, key: KeyObject): Buffer {
  const jwk = key.export({ format: 'jwk' })
  if (algorithm === 'ES256') {
    return cbor(
      new Map<number, Item>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, bytesOf(jwk.x)],
        [-3, bytesOf(jwk.y)],
      ]),
    )
  }
  if (algorithm === 'EdDSA')
    return cbor(
      new Map<number, Item>([
        [1, 1],
        [3, -8],
        [-1, 6],
        [-2, bytesOf(jwk.x)],
      ]),
    )
  return cbor(
    new Map<number, Item>([
      [1, 3],
      [3, -257],
      [-1, bytesOf(jwk.n)],
      [-2, bytesOf(jwk.e)],
    ]),
  )
}

function newKey(algorithm: Algorithm) {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

/** How a ceremony goes wrong. What is left out is as it should be. */
export interface Wrong {
  readonly type?: string
  readonly origin?: string
  readonly crossOrigin?: boolean
  readonly rpId?: string
  readonly challenge?: string
  /** Whether somebody touched it. */
  readonly present?: boolean
  /** Whether it made sure who. */
  readonly verified?: boolean
  readonly counter?: number
  readonly userHandle?: string | null
  /** Another key signs. */
  readonly forged?: boolean
  readonly backedUp?: boolean
}

interface Held {
  readonly id: Buffer
  readonly rpId: string
  readonly userHandle: string
  readonly privateKey: KeyObject
  readonly cose: Buffer
  counter: number
}

/**
 * An authenticator and its browser, in software: it does as it is told, right or wrong.
 * @param counts whether it counts signatures, as security keys do, or sends 0, as those that keep passkeys in step do.
 */
export function softwareAuthenticator(
  origin: string,
  { algorithm = 'ES256', counts = false }: { readonly algorithm?: Algorithm; readonly counts?: boolean } = {},
) {
  const held: Held[] = []

  function clientData(type: string, challenge: string, wrong: Wrong): Buffer {
    return Buffer.from(
      JSON.stringify({
        type: wrong.type ?? type,
        challenge: wrong.challenge ?? challenge,
        origin: wrong.origin ?? origin,
        crossOrigin: wrong.crossOrigin ?? false,
      }),
    )
  }

  function authenticatorData(rpId: string, counter: number, wrong: Wrong, attested?: Buffer): Buffer {
    const flags =
      (wrong.present === false ? 0 : 0x01) |
      (wrong.verified === false ? 0 : 0x04) |
      (counts ? 0 : 0x08 | (wrong.backedUp === false ? 0 : 0x10)) |
      (attested ? 0x40 : 0)
    const count = Buffer.alloc(4)
    count.writeUInt32BE(wrong.counter ?? counter)
    return Buffer.concat([
      sha256(wrong.rpId ?? rpId),
      Buffer.from([flags]),
      count,
      attested ?? Buffer.alloc(0),
    ])
  }

  function create(options: CreationOptions, wrong: Wrong = {}): RegistrationResponse {
    const { privateKey, publicKey } = newKey(algorithm)
    const cose = coseKey(algorithm, publicKey)
    const id = randomBytes(32)
    const length = Buffer.from([0, id.length])
    const attested = Buffer.concat([Buffer.alloc(16), length, id, cose])
    const authData = authenticatorData(options.rp.id, counts ? 1 : 0, wrong, attested)
    held.push({
      id,
      rpId: options.rp.id,
      userHandle: options.user.id,
      privateKey,
      cose,
      counter: counts ? 1 : 0,
    })
    const text = id.toString('base64url')
    return {
      id: text,
      rawId: text,
      type: 'public-key',
      response: {
        clientDataJSON: clientData('webauthn.create', options.challenge, wrong).toString('base64url'),
        attestationObject: cbor({ fmt: 'none', attStmt: {}, authData }).toString('base64url'),
        transports: ['internal', 'hybrid'],
      },
    }
  }

  function get(options: RequestOptions, wrong: Wrong = {}): AssertionResponse {
    const allowed = options.allowCredentials.map(({ id }) => id)
    const key = held.findLast(
      ({ id, rpId }) =>
        rpId === options.rpId && (allowed.length === 0 || allowed.includes(id.toString('base64url'))),
    )
    if (key === undefined) throw new Error('this authenticator has no such passkey')
    if (counts) key.counter++
    const data = clientData('webauthn.get', options.challenge, wrong)
    const authData = authenticatorData(options.rpId, key.counter, wrong)
    const by = wrong.forged ? newKey(algorithm).privateKey : key.privateKey
    const signed = Buffer.concat([authData, sha256(data)])
    const signature = sign(algorithm === 'EdDSA' ? null : 'sha256', signed, by)
    const text = key.id.toString('base64url')
    return {
      id: text,
      rawId: text,
      type: 'public-key',
      response: {
        clientDataJSON: data.toString('base64url'),
        authenticatorData: authData.toString('base64url'),
        signature: signature.toString('base64url'),
        userHandle: wrong.userHandle === undefined ? key.userHandle : wrong.userHandle,
      },
    }
  }

  return { create, get, held }
}

export type SoftwareAuthenticator = ReturnType<typeof softwareAuthenticator>
