import { verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { resolveConfig } from '../../../src/auth/config.ts'
import { readAuthenticatorData } from '../../../src/auth/passkeys/authenticator-data.ts'
import { readCbor } from '../../../src/auth/passkeys/cbor.ts'
import { makeChallenge, openChallenge } from '../../../src/auth/passkeys/challenges.ts'
import { ALGORITHMS, rawSignature } from '../../../src/auth/passkeys/cose-key.ts'
import { resolvePasskeys } from '../../../src/auth/passkeys/options.ts'
import {
  type AssertionResponse,
  type Expected,
  type RegistrationResponse,
  webauthn,
} from '../../../src/auth/passkeys/webauthn.ts'
import { toBase64Url } from '../../../src/core/bytes.ts'
import {
  type Algorithm,
  cbor,
  softwareAuthenticator,
  type Wrong,
} from '../../system/support/authenticator.ts'

const ORIGIN = 'https://app.example'
const expected: Expected = { challenge: 'Y2hhbGxlbmdl', origins: [ORIGIN], rpId: 'app.example' }
const creation = {
  challenge: expected.challenge,
  rp: { id: 'app.example', name: 'Acme' },
  user: { id: 'AZqgWwfvdACAAAAAAAAAAA', name: 'a', displayName: 'a' },
  pubKeyCredParams: [],
  timeout: 1,
  excludeCredentials: [],
  authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
  attestation: 'none',
} as const
const request = {
  challenge: expected.challenge,
  rpId: 'app.example',
  timeout: 1,
  userVerification: 'required',
  allowCredentials: [],
} as const

const agrees = async (work: () => Promise<unknown>) => {
  try {
    await work()
    return true
  } catch {
    return false
  }
}

/** What somebody else's verifier says of the same. */
const elsewhere = {
  registration: (response: RegistrationResponse) =>
    agrees(async () => {
      const { verified } = await verifyRegistrationResponse({
        response: { ...response, clientExtensionResults: {} } as never,
        expectedChallenge: expected.challenge,
        expectedOrigin: ORIGIN,
        expectedRPID: expected.rpId,
        supportedAlgorithmIDs: [...ALGORITHMS],
      })
      if (!verified) throw new Error('no')
    }),
  assertion: (response: AssertionResponse, publicKey: string) =>
    agrees(async () => {
      const { verified } = await verifyAuthenticationResponse({
        response: { ...response, clientExtensionResults: {} } as never,
        expectedChallenge: expected.challenge,
        expectedOrigin: ORIGIN,
        expectedRPID: expected.rpId,
        credential: {
          id: response.id,
          publicKey: new Uint8Array(Buffer.from(publicKey, 'base64url')),
          counter: 0,
        },
      })
      if (!verified) throw new Error('no')
    }),
}

const algorithms: readonly Algorithm[] = ['ES256', 'EdDSA', 'RS256']

describe.each(algorithms)('a passkey of %s', (algorithm) => {
  const authenticator = softwareAuthenticator(ORIGIN, { algorithm })

  it('is taken, and so is its use, as @simplewebauthn/server takes them', async () => {
    const made = authenticator.create(creation)
    const credential = await webauthn.registration(made, expected)
    expect(credential).toMatchObject({
      credentialId: made.id,
      counter: 0,
      backupEligible: true,
      backedUp: true,
      transports: ['hybrid', 'internal'],
      aaguid: '00000000-0000-0000-0000-000000000000',
    })
    expect(await elsewhere.registration(made)).toBe(true)
    // Signatures of ECDSA come in several lengths.
    for (let i = 0; i < 40; i++) {
      const used = authenticator.get(request)
      expect(await webauthn.assertion(used, credential, expected)).toEqual({ counter: 0, backedUp: true })
      if (i < 5) expect(await elsewhere.assertion(used, credential.publicKey)).toBe(true)
    }
  })

  it.each<[string, Wrong]>([
    ['of another origin', { origin: 'https://app.example.evil.example' }],
    ['of another relying party', { rpId: 'evil.example' }],
    ['of another challenge', { challenge: 'b3RoZXI' }],
    ['of another ceremony', { type: 'payment.get' }],
    ['in a frame of another origin', { crossOrigin: true }],
    ['without anybody there', { present: false }],
    ['without making sure who is there', { verified: false }],
  ])('is refused %s', async (_, wrong) => {
    const good = await webauthn.registration(authenticator.create(creation), expected)
    const [made, used] = [authenticator.create(creation, wrong), authenticator.get(request, wrong)]
    await expect(webauthn.registration(made, expected)).rejects.toThrow(/WebAuthn/)
    await expect(
      webauthn.assertion({ ...used, id: good.credentialId, rawId: good.credentialId }, good, expected),
    ).rejects.toThrow(/WebAuthn/)
  })

  it('is refused with another signature, or with somebody else’s key', async () => {
    const credential = await webauthn.registration(authenticator.create(creation), expected)
    const other = await webauthn.registration(
      softwareAuthenticator(ORIGIN, { algorithm }).create(creation),
      expected,
    )
    const used = authenticator.get(request)
    await expect(
      webauthn.assertion(authenticator.get(request, { forged: true }), credential, expected),
    ).rejects.toThrow('signature')
    const swapped = { ...credential, publicKey: other.publicKey }
    await expect(webauthn.assertion(used, swapped, expected)).rejects.toThrow('signature')
    await expect(webauthn.assertion(used, other, expected)).rejects.toThrow('another one')
  })

  it('is refused with any one bit changed, in what is signed and in the signature', async () => {
    const credential = await webauthn.registration(authenticator.create(creation), expected)
    const used = authenticator.get(request)
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('clientDataJSON', 'authenticatorData', 'signature'),
        fc.nat(),
        fc.nat(7),
        async (field, at, bit) => {
          const bytes = Buffer.from(used.response[field as 'signature'], 'base64url')
          bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ (1 << bit)
          const response = { ...used.response, [field]: bytes.toString('base64url') }
          expect(await agrees(() => webauthn.assertion({ ...used, response }, credential, expected))).toBe(
            false,
          )
        },
      ),
      { numRuns: 150 },
    )
  })

  it('is never taken changed where @simplewebauthn/server would refuse it', async () => {
    const made = authenticator.create(creation)
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 0, max: 255 }), async (at, byte) => {
        const bytes = Buffer.from(made.response.attestationObject, 'base64url')
        // What comes before says how it is attested, which is not looked at.
        const start = bytes.indexOf('authData') + 10
        bytes[start + (at % (bytes.length - start))] = byte
        const response = { ...made.response, attestationObject: bytes.toString('base64url') }
        const changed = { ...made, response }
        if (await agrees(() => webauthn.registration(changed, expected))) {
          expect(await elsewhere.registration(changed)).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('what authenticators write', () => {
  it('is read or refused, whatever the bytes, and never hangs', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const read of [readCbor, readAuthenticatorData]) {
          try {
            read(new Uint8Array(bytes))
          } catch (error) {
            expect(error).toSatisfy((e) => e instanceof RangeError || e instanceof TypeError)
          }
        }
      }),
    )
  })

  it('is read as it was written', () => {
    const item = new Map<number | string, number | string | Uint8Array>([
      [1, 2],
      [-257, 'text'],
      ['key', new Uint8Array(300)],
      [24, -1],
      [5000, 65_535],
    ])
    expect(readCbor(new Uint8Array(cbor(item))).value).toEqual(item)
  })

  it.each([
    ['a tag', 'c074323031332d30332d32315432303a30343a30305a'],
    ['an indefinite length', '5f42010243030405ff'],
    ['a float', 'f93c00'],
    ['the same key twice', 'a201010102'],
    ['more items than bytes', '9affffffff'],
    ['a number beyond 2^53', '1bffffffffffffffff'],
    ['a hundred levels', `${'81'.repeat(100)}00`],
    ['nothing', ''],
  ])('is refused with %s', (_, hex) => {
    expect(() => readCbor(new Uint8Array(Buffer.from(hex, 'hex')))).toThrow(RangeError)
  })

  it('is refused where it claims a backup of what cannot be backed up', () => {
    const bytes = new Uint8Array(37)
    bytes[32] = 0x10
    expect(() => readAuthenticatorData(bytes)).toThrow('backed up')
  })

  it('has ECDSA signatures in DER and in no other form', () => {
    const short = Buffer.from('3006020101020102', 'hex')
    expect(toBase64Url(rawSignature(new Uint8Array(short)))).toBe(
      Buffer.concat([Buffer.alloc(31), Buffer.from([1]), Buffer.alloc(31), Buffer.from([2])]).toString(
        'base64url',
      ),
    )
    for (const bad of [
      '',
      '30',
      '3006020101020102ff',
      '3006020181020102',
      '300702010102020001',
      '3106020101020102',
      '3004020002 00'.replace(' ', ''),
    ]) {
      expect(() => rawSignature(new Uint8Array(Buffer.from(bad, 'hex'))), bad).toThrow(RangeError)
    }
  })
})

describe('a challenge', () => {
  const secrets = ['a secret of the tests, long enough'] as const
  const use = { purpose: 'sign-in', boundTo: 'cookie\nabc' } as const

  it('opens for what it was made for and for nothing else', async () => {
    const text = await makeChallenge(secrets, use)
    expect(await openChallenge(secrets, use, text)).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    expect(
      await openChallenge(['a newer secret of the tests, long too', ...secrets], use, text),
    ).toBeDefined()
    expect(await openChallenge(secrets, { ...use, purpose: 'register' }, text)).toBeUndefined()
    expect(await openChallenge(secrets, { ...use, boundTo: 'cookie\nabd' }, text)).toBeUndefined()
    expect(await openChallenge(['another secret of the tests, long too'], use, text)).toBeUndefined()
  })

  it('opens with no character changed', async () => {
    const text = await makeChallenge(secrets, use)
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.constantFrom(...'AZaz09-_'), async (at, char) => {
        fc.pre(text[at] !== char)
        const changed = `${text.slice(0, at)}${char}${text.slice(at + 1)}`
        expect(await openChallenge(secrets, use, changed)).toBeUndefined()
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 140 }), async (text) => {
        expect(await openChallenge(secrets, use, text)).toBeUndefined()
      }),
    )
  })
})

describe('passkeyRoutes', () => {
  const config = (origin: string) =>
    resolveConfig({
      db: {} as never,
      secrets: ['a secret of the tests, long enough'],
      app: { name: 'Acme', origin },
      limiter: 'none',
      mailer: { send: async () => ({ id: '1' }) },
    })

  it('takes the domain of the origin, and the name of a loopback address', () => {
    expect(resolvePasskeys({}, config('https://app.example'))).toMatchObject({
      rpId: 'app.example',
      origins: [ORIGIN],
    })
    const local = resolvePasskeys({}, config('http://127.0.0.1:8787'))
    expect(local).toMatchObject({ rpId: 'localhost', origins: ['http://localhost:8787'] })
    const apps = resolvePasskeys(
      { rpId: 'example.com', origins: ['android:apk-key-hash:x'] },
      config('https://app.example.com'),
    )
    expect(apps.origins).toEqual(['https://app.example.com', 'android:apk-key-hash:x'])
  })

  it.each([
    ['a domain that is not above the origin', 'https://app.example', { rpId: 'evil.example' }],
    ['a domain that only ends alike', 'https://myapp.example', { rpId: 'app.example' }],
    ['a URL for a domain', 'https://app.example', { rpId: 'https://app.example' }],
    ['an origin without https', 'http://app.example', {}],
    ['an origin with a path', 'https://app.example', { origins: ['https://app.example/x'] }],
    ['an address for a domain', 'https://192.0.2.1', {}],
    ['no passkeys at all', 'https://app.example', { perUser: 0 }],
  ])('refuses %s when it is built', (_, origin, options) => {
    expect(() => resolvePasskeys(options, config(origin))).toThrow(TypeError)
  })
})
