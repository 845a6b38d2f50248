import { uuidv7 } from 'breakwater/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openChallenge, sealChallenge } from '../../../src/auth/challenge.ts'
import { formatRefreshToken, newCredential, parseRefreshToken } from '../../../src/auth/credential.ts'
import { scrypt } from '../../../src/auth/hashers/scrypt.ts'
import { createPasswords } from '../../../src/auth/passwords.ts'
import { newRecoveryCodes, recoveryCodeHash } from '../../../src/auth/recovery-codes.ts'
import { seal, unseal } from '../../../src/auth/sealing.ts'
import { parseToken } from '../../../src/auth/token.ts'
import { matchingStep, stepAt, toBase32, totpCode, totpUri } from '../../../src/auth/totp.ts'
import { fromBase64Url, toBase64Url, toBytes } from '../../../src/core/bytes.ts'

const secret = (letter: string) => letter.repeat(32)
const key = toBytes('12345678901234567890')

describe('one-time passwords', () => {
  it.each([
    [59, '94287082'],
    [1111111109, '07081804'],
    [1111111111, '14050471'],
    [1234567890, '89005924'],
    [2000000000, '69279037'],
    [20000000000, '65353130'],
  ])('at %i seconds as RFC 6238, appendix B, has it', async (seconds, code) => {
    expect(await totpCode(key, stepAt(seconds * 1000), 8)).toBe(code)
  })

  it('of the first ten counters as RFC 4226, appendix D, has them', async () => {
    const codes = await Promise.all(Array.from({ length: 10 }, (_, counter) => totpCode(key, counter)))
    expect(codes.join(' ')).toBe('755224 287082 359152 969429 338314 254676 287922 162583 399871 520489')
  })

  it('fit one step either side and no further', async () => {
    const now = 1_790_000_000_000
    for (const [drift, fits] of [
      [-2, false],
      [-1, true],
      [0, true],
      [1, true],
      [2, false],
    ] as const) {
      const code = await totpCode(key, stepAt(now) + drift)
      const found = await matchingStep(key, code, { after: 0, now })
      expect(found, String(drift)).toBe(fits ? stepAt(now) + drift : undefined)
    }
  })

  it('do not fit once a code of that step or a later one was used', async () => {
    const now = 1_790_000_000_000
    const step = stepAt(now)
    const code = await totpCode(key, step)
    expect(await matchingStep(key, code, { after: step, now })).toBeUndefined()
    expect(await matchingStep(key, code, { after: step + 1, now })).toBeUndefined()
    expect(await matchingStep(key, code, { after: step - 1, now })).toBe(step)
  })

  it('never fit what is no code', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        fc.pre(!/^\d{6}$/.test(text))
        expect(await matchingStep(key, text, { after: 0 })).toBeUndefined()
      }),
    )
  })

  it('are shared as base32 of RFC 4648 and as a URI that apps read', () => {
    expect(toBase32(toBytes('foobar'))).toBe('MZXW6YTBOI')
    expect(toBase32(toBytes('fooba'))).toBe('MZXW6YTB')
    expect(toBase32(toBytes('f'))).toBe('MY')
    const uri = new URL(totpUri(key, 'ann@example.com', 'Acme & Sons'))
    expect(uri.protocol).toBe('otpauth:')
    expect(uri.searchParams.get('issuer')).toBe('Acme & Sons')
    expect(uri.search).not.toContain('+')
    expect(uri.searchParams.get('secret')).toBe('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
  })
})

describe('recovery codes', () => {
  it('differ, have 125 bits, and are known however they are copied', async () => {
    const codes = newRecoveryCodes()
    expect(new Set(codes).size).toBe(10)
    for (const code of codes) {
      expect(code).toMatch(/^[a-z2-7]{5}(-[a-z2-7]{5}){4}$/)
      const hash = await recoveryCodeHash(code)
      expect(await recoveryCodeHash(` ${code.toUpperCase().replaceAll('-', ' ')} `)).toBe(hash)
      expect(hash).not.toContain(code.slice(0, 5))
    }
    expect(await recoveryCodeHash('123456')).toBeUndefined()
  })
})

describe('sealing', () => {
  it('opens for its owner, under an older secret too, and for nobody else', async () => {
    const text = await seal([secret('a')], 'ann', key)
    expect(await unseal([secret('b'), secret('a')], 'ann', text)).toEqual(key)
    expect(await unseal([secret('b')], 'ann', text)).toBeUndefined()
    expect(await unseal([secret('a')], 'bob', text)).toBeUndefined()
    expect(text).not.toContain(toBase64Url(key))
  })

  it('opens nothing that was changed, and never throws', async () => {
    const text = await seal([secret('a')], 'ann', key)
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 3 }), async (at, by) => {
        const changed = text.slice(0, at) + by + text.slice(at + 1)
        fc.pre(changed !== text)
        expect(await unseal([secret('a')], 'ann', changed)).toBeUndefined()
      }),
    )
  })
})

describe('challenges', () => {
  const challenge = {
    userId: uuidv7(),
    generation: 3,
    transport: 'cookie' as const,
    method: 'password',
    expiresAt: Date.now() + 60_000,
  }

  it('read back under an older secret too, until they are too old', async () => {
    expect(
      await openChallenge([secret('b'), secret('a')], await sealChallenge([secret('a')], challenge)),
    ).toEqual(challenge)
    const late = await sealChallenge([secret('a')], { ...challenge, expiresAt: Date.now() - 1 })
    expect(await openChallenge([secret('a')], late)).toBeUndefined()
  })

  it('are not believed when changed, and never throw', async () => {
    const text = await sealChallenge([secret('a')], challenge)
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.nat(text.length - 1).map((at) => `${text.slice(0, at)}!${text.slice(at + 1)}`),
        ),
        async (changed) => {
          expect(await openChallenge([secret('a')], changed)).toBeUndefined()
        },
      ),
    )
  })
})

describe('refresh tokens', () => {
  it('read back, under an older secret too', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uuid(),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.nat(),
        async (id, raw, counter) => {
          const token = { id, secret: new Uint8Array(raw), counter }
          const text = await formatRefreshToken([secret('a')], token)
          expect(await parseRefreshToken([secret('b'), secret('a')], text)).toEqual(token)
          expect(await parseRefreshToken([secret('b')], text)).toBeUndefined()
        },
      ),
    )
  })

  it('cannot be counted on, nor changed in any letter', async () => {
    const { text } = await newCredential([secret('a')], 'token')
    await fc.assert(
      fc.asyncProperty(
        fc.nat(text.length - 1),
        fc.constantFrom(...'0123456789abcdefABCXYZ_-'),
        async (at, letter) => {
          const changed = text.slice(0, at) + letter + text.slice(at + 1)
          fc.pre(changed !== text)
          expect(await parseRefreshToken([secret('a')], changed)).toBeUndefined()
        },
      ),
    )
  })

  it('have a secret that is stored otherwise than a cookie’s, so that one cannot be cut down to the other', async () => {
    const { text, hash } = await newCredential([secret('a')], 'token')
    const inside = parseToken(text.slice(5, 69))
    if (inside === undefined) throw new Error('no token inside')
    const plain = toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', inside.secret)))
    expect(plain).not.toBe(hash)
    expect(fromBase64Url(hash)).toHaveLength(32)
  })
})

describe('peppers', () => {
  const hasher = scrypt({ logN: 4 })
  const password = 'a perfectly fine passphrase'

  it('rotate: hashes of an older one, and of none, still fit and are due to be made anew', async () => {
    const plain = createPasswords({ hashers: [hasher] })
    const first = createPasswords({ hashers: [hasher], peppers: [secret('a')] })
    const second = createPasswords({ hashers: [hasher], peppers: [secret('b'), secret('a')] })
    for (const stored of [await plain.hash(password), await first.hash(password)]) {
      expect(await second.verify(stored, password)).toEqual({ ok: true, rehash: true })
      expect(await second.verify(stored, `${password}!`)).toEqual({ ok: false, rehash: false })
    }
    const fresh = await second.hash(password)
    expect(await second.verify(fresh, password)).toEqual({ ok: true, rehash: false })
  })

  it('are needed: without its pepper a hash is of no use', async () => {
    const stored = await createPasswords({ hashers: [hasher], peppers: [secret('a')] }).hash(password)
    for (const peppers of [[], [secret('b')]]) {
      expect((await createPasswords({ hashers: [hasher], peppers }).verify(stored, password)).ok).toBe(false)
    }
    expect(await hasher.verify(stored.slice(stored.indexOf('$')), password)).toBe(false)
  })
})
