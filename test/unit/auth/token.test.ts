import fc from 'fast-check'
import { expect, it } from 'vitest'
import { openDevice, sealDevice } from '../../../src/auth/device-cookie.ts'
import { isGenuineMailToken, mailTokenHash, recoverMailToken } from '../../../src/auth/mail-token.ts'
import {
  type Claim,
  identityOf,
  readClaim,
  sealIdentity,
  verifySeal,
} from '../../../src/auth/session-cache.ts'
import type { Identity } from '../../../src/auth/session-store.ts'
import { formatToken, hashSecret, isUuid, parseToken, randomSecret } from '../../../src/auth/token.ts'
import { fromBase64Url, toBase64Url } from '../../../src/core/bytes.ts'
import { uuidv7 } from '../../../src/core/index.ts'

const secret = (letter: string) => letter.repeat(32)
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 60, maxLength: 70 }),
  fc.base64String(),
  fc.uint8Array({ maxLength: 100 }).map((b) => toBase64Url(b)),
)

/** A text with one character changed. */
const changed = (text: string) =>
  fc
    .tuple(fc.nat(text.length - 1), fc.constantFrom(...'AQgw_-.9'))
    .map(([at, char]) => text.slice(0, at) + char + text.slice(at + 1))
    .filter((other) => other !== text)

it('reads back every token it writes', () => {
  fc.assert(
    fc.property(fc.uuid(), bytes(32), (id, raw) => {
      const text = formatToken({ id, secret: new Uint8Array(raw) })
      expect(text).toMatch(/^[A-Za-z0-9_-]{64}$/)
      expect(parseToken(text)).toEqual({ id, secret: new Uint8Array(raw) })
    }),
  )
})

it('reads nothing that it would not write, whatever comes, and never throws', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const token = parseToken(text)
      if (token !== undefined) {
        expect(isUuid(token.id)).toBe(true)
        expect(formatToken(token)).toBe(text)
      }
    }),
    { numRuns: 2000 },
  )
  expect(parseToken(undefined)).toBeUndefined()
  expect(parseToken('A'.repeat(63))).toBeUndefined()
  expect(parseToken(`${'A'.repeat(63)}=`)).toBeUndefined()
})

it('gives two tokens that differ in one character different meanings', () => {
  const text = formatToken({ id: uuidv7(), secret: randomSecret() })
  fc.assert(
    fc.property(changed(text), (other) => {
      const token = parseToken(other)
      expect(token === undefined || formatToken(token) !== text).toBe(true)
    }),
  )
})

it('finds a mailed token again from its id, after the secret was rotated too, but not once it was retired', async () => {
  const id = uuidv7()
  const hash = await mailTokenHash([secret('a')], 'reset-password', id)
  const token = await recoverMailToken([secret('b'), secret('a')], 'reset-password', id, hash)
  const parsed = parseToken(token)
  if (parsed === undefined) throw new Error('no token')
  expect(await hashSecret(parsed.secret)).toBe(hash)
  expect(await isGenuineMailToken([secret('b'), secret('a')], 'reset-password', parsed)).toBe(true)
  expect(await isGenuineMailToken([secret('b')], 'reset-password', parsed)).toBe(false)
  expect(await recoverMailToken([secret('b')], 'reset-password', id, hash)).toBeUndefined()
})

it('never takes a mailed token for one of another purpose or another row', async () => {
  const id = uuidv7()
  const hash = await mailTokenHash([secret('a')], 'verify-mail', id)
  const parsed = parseToken(await recoverMailToken([secret('a')], 'verify-mail', id, hash))
  if (parsed === undefined) throw new Error('no token')
  expect(await isGenuineMailToken([secret('a')], 'reset-password', parsed)).toBe(false)
  expect(await isGenuineMailToken([secret('a')], 'verify-mail', { ...parsed, id: uuidv7() })).toBe(false)
})

it('calls no invented token genuine', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uuid(), bytes(32), async (id, raw) => {
      expect(
        await isGenuineMailToken([secret('a')], 'verify-mail', { id, secret: new Uint8Array(raw) }),
      ).toBe(false)
    }),
  )
})

const now = new Date(1_790_000_000_123)
const identity: Identity = {
  user: { id: uuidv7(), email: 'ann@example.com', createdAt: now, roles: ['admin'] },
  session: {
    id: uuidv7(),
    userId: '',
    createdAt: now,
    authenticatedAt: now,
    lastUsedAt: now,
    expiresAt: new Date(now.getTime() + 1000),
    device: 'Firefox on Windows',
    country: null,
    city: 'Zürich',
    transport: 'cookie',
    methods: ['password', 'totp'],
  },
}
const sameIdentity: Identity = { ...identity, session: { ...identity.session, userId: identity.user.id } }

it('reads back a cached identity, under an older secret too', async () => {
  const sealed = await sealIdentity([secret('a')], 'token-1', sameIdentity, 42)
  const claim = readClaim(sealed) as Claim
  expect(claim.issuedAt).toBe(42)
  expect(identityOf(claim)).toEqual(sameIdentity)
  expect(await verifySeal([secret('b'), secret('a')], 'token-1', sealed)).toBe(true)
  expect(await verifySeal([secret('b')], 'token-1', sealed)).toBe(false)
})

it('believes a cached identity only beside the very session cookie it was made for', async () => {
  const sealed = await sealIdentity([secret('a')], 'token-1', sameIdentity, 42)
  expect(await verifySeal([secret('a')], 'token-2', sealed)).toBe(false)
  expect(await verifySeal([secret('a')], '', sealed)).toBe(false)
})

it('believes no cached identity that was changed, and never throws at one', async () => {
  const sealed = await sealIdentity([secret('a')], 'token-1', sameIdentity, 42)
  await fc.assert(
    fc.asyncProperty(fc.oneof(changed(sealed), anyText), async (text) => {
      readClaim(text)
      expect(await verifySeal([secret('a')], 'token-1', text)).toBe(false)
    }),
    { numRuns: 500 },
  )
  const [payload = ''] = sealed.split('.')
  expect(readClaim(toBase64Url(new Uint8Array([0xff, 0xfe])))).toBeUndefined()
  expect(fromBase64Url(payload)).toBeDefined()
})

it('knows a device again for the account it signed in to, and for no other', async () => {
  const cookie = await sealDevice([secret('a')], 'ann@example.com')
  expect(await openDevice([secret('b'), secret('a')], 'ann@example.com', cookie)).toMatch(/^[\w-]{22}$/)
  expect(await openDevice([secret('a')], 'bob@example.com', cookie)).toBeUndefined()
  await fc.assert(
    fc.asyncProperty(fc.oneof(changed(cookie), anyText), async (text) => {
      expect(await openDevice([secret('a')], 'ann@example.com', text)).toBeUndefined()
    }),
    { numRuns: 300 },
  )
})
