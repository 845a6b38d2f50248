import { describe, expect, it } from 'vitest'
import { type Expected, webauthn } from '../../../src/auth/passkeys/webauthn.ts'
import { type Algorithm, softwareAuthenticator } from '../../system/support/authenticator.ts'

const ORIGIN = 'https://app.example'
const expected: Expected = { challenge: 'Y2hhbGxlbmdl', origins: [ORIGIN], rpId: 'app.example' }
const request = {
  challenge: expected.challenge,
  rpId: 'app.example',
  timeout: 1,
  userVerification: 'required',
  allowCredentials: [],
} as const
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

describe.each<Algorithm>(['ES256', 'EdDSA', 'RS256'])('a passkey of %s in workerd', (algorithm) => {
  it('is taken with its own signature and refused with another', async () => {
    const authenticator = softwareAuthenticator(ORIGIN, { algorithm })
    const credential = await webauthn.registration(authenticator.create(creation), expected)
    const used = authenticator.get(request)
    expect(await webauthn.assertion(used, credential, expected)).toEqual({ counter: 0, backedUp: true })
    const forged = authenticator.get(request, { forged: true })
    await expect(webauthn.assertion(forged, credential, expected)).rejects.toThrow('signature')
  })
})
