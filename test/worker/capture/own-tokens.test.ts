import { captureMiddleware, captureTunnel, createCapture, withCapture } from 'breakwater/capture'
import { randomBytes, span, uuidv7 } from 'breakwater/core'
import { keyset } from 'breakwater/db'
import { pgTable, uuid } from 'drizzle-orm/pg-core'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { sealAccessToken } from '../../../src/auth/access-token.ts'
import { newKey } from '../../../src/auth/api-keys/key.ts'
import { sealChallenge } from '../../../src/auth/challenge.ts'
import { sealDevice } from '../../../src/auth/device-cookie.ts'
import type { Secrets } from '../../../src/auth/mail-token.ts'
import { mailTokenHash, recoverMailToken } from '../../../src/auth/mail-token.ts'
import { makeChallenge } from '../../../src/auth/passkeys/challenges.ts'
import { newRecoveryCodes } from '../../../src/auth/recovery-codes.ts'
import { seal } from '../../../src/auth/sealing.ts'
import { sealIdentity } from '../../../src/auth/session-cache.ts'
import { formatToken, randomSecret } from '../../../src/auth/token.ts'
import { toBase32 } from '../../../src/auth/totp.ts'
import { toBase64Url } from '../../../src/core/bytes.ts'
import { signLink } from '../../../src/uploads/links.ts'
import { call } from './call.ts'
import { Ingest } from './ingest.ts'

// Every secret that this package itself makes, from what makes it, thrown in every place an event is made of.
const secrets: Secrets = [toBase64Url(randomBytes(32))]
const now = new Date()
const identity = () => ({
  user: { id: uuidv7(), email: 'ann@example.com', createdAt: now, roles: [] },
  session: {
    id: uuidv7(),
    userId: uuidv7(),
    createdAt: now,
    authenticatedAt: now,
    lastUsedAt: now,
    expiresAt: now,
    device: null,
    country: null,
    city: null,
    transport: 'cookie' as const,
    methods: ['password'],
  },
})
const sessionToken = () => formatToken({ id: uuidv7(), secret: randomSecret() })
const orders = pgTable('orders', { id: uuid().notNull() })
const pages = keyset({ name: 'orders', secrets, by: [[orders.id, 'asc']] })

const MAKE: Readonly<Record<string, () => string | Promise<string | undefined>>> = {
  'a session token': sessionToken,
  'a cached session': () => sealIdentity(secrets, sessionToken(), identity() as never, Date.now()),
  'an access token': () => sealAccessToken(secrets, 'https://app.example', identity() as never, Date.now()),
  'a refresh token': () => `bwrt_${sessionToken()}`,
  'a device cookie': () => sealDevice(secrets, 'ann@example.com'),
  'a mailed token': async () => {
    const id = uuidv7()
    return recoverMailToken(secrets, 'reset-password', id, await mailTokenHash(secrets, 'reset-password', id))
  },
  'a challenge before the second factor': () =>
    sealChallenge(secrets, {
      userId: uuidv7(),
      generation: 3,
      transport: 'cookie',
      method: 'password',
      expiresAt: Date.now() + 1000,
    }),
  'a passkey challenge': () => makeChallenge(secrets, { purpose: 'sign-in', boundTo: 'x' }),
  'an API key': () => newKey('bwk_'),
  'an API key of another prefix': () => newKey('acme_live_'),
  'a recovery code': () => newRecoveryCodes()[0] ?? '',
  'a shared secret of TOTP': () => toBase32(randomBytes(20)),
  'something sealed': () => seal(secrets, 'x', randomBytes(64)),
  'a signed address of an upload': () => signLink(secrets, { id: uuidv7(), linkEpoch: 0 }, 4_000_000_000),
  'a cursor': async () => {
    const page = await pages({ limit: 1 })
    return (
      await page.finish([{ cursor: JSON.stringify([uuidv7()]) }, { cursor: JSON.stringify([uuidv7()]) }])
    ).next
  },
}

/** Everything that leaves when a request goes wrong that has this text in every place. */
async function sentWith(secret: string): Promise<string> {
  const ingest = new Ingest()
  const capture = createCapture({ dsn: ingest.dsn, fetch: ingest.fetch, tracesSampleRate: 1, maxAlike: 100 })
  const app = new Hono().use(captureMiddleware())
  app.onError((_error, c) => c.text('failed', 500))
  app.post('/_capture', captureTunnel({ capture }))
  app.all('/links/:text/open', async (c) => {
    await span('http.client', `GET https://api.example/x/${secret}?t=${secret}`, async () => {})
    capture.captureException(new Error('handled'), {
      tags: { seen: secret },
      extra: { note: `got ${secret}`, list: [secret], deep: { value: secret, [secret]: 1 } },
      fingerprint: [secret],
    })
    capture.captureMessage(`not accepted: ${secret}`)
    c.executionCtx.waitUntil(Promise.reject(new Error(`late ${secret},`)))
    throw Object.assign(
      new TypeError(`cannot use "${secret}"`, { cause: new Error(`because of ${secret}.`) }),
      {
        name: `E ${secret}`,
      },
    )
  })
  const worker = withCapture(capture, app)
  await call(
    worker,
    `/links/${encodeURIComponent(secret)}/open?q=${encodeURIComponent(secret)}&${encodeURIComponent(secret)}=1`,
    {
      method: 'POST',
      body: secret,
      headers: {
        authorization: `Bearer ${secret}`,
        cookie: `__Host-session=${secret}; other=${secret}`,
        'x-anything': secret,
        referer: `https://app.example/links/${secret}/open`,
        'user-agent': `agent ${secret}`,
      },
    },
  )
  const error = {
    type: 'E',
    value: `page ${secret}`,
    mechanism: 'onerror',
    frames: [{ function: secret, filename: `https://app.example/a.js?t=${secret}` }],
  }
  const report = {
    v: 1,
    trace: 'a'.repeat(32),
    span: 'b'.repeat(16),
    path: `/reset/${secret}`,
    errors: [error],
  }
  await call(worker, '/_capture', {
    method: 'POST',
    body: JSON.stringify(report),
    headers: { 'sec-fetch-site': 'same-origin' },
  })
  expect(ingest.errors.length).toBe(5)
  expect(ingest.transactions.length).toBeGreaterThan(0)
  return ingest.raw.join('\n')
}

describe('no secret of our own leaves, wherever it stood', () => {
  it.each(Object.entries(MAKE))('%s', async (_name, make) => {
    // Random ones differ: some have no digit, some begin with a dash.
    for (let i = 0; i < 12; i++) {
      const secret = (await make()) ?? ''
      expect(secret.length).toBeGreaterThan(20)
      const sent = await sentWith(secret)
      for (const part of [secret, ...secret.split('.').filter((one) => one.length >= 32)]) {
        expect(sent).not.toContain(part)
        expect(sent).not.toContain(encodeURIComponent(part))
      }
    }
  })

  it('a code of six digits, which has no shape, by the names it goes by', async () => {
    const ingest = new Ingest()
    const capture = createCapture({ dsn: ingest.dsn, fetch: ingest.fetch })
    const worker = withCapture(capture, {
      fetch: async () => {
        throw Object.assign(
          new Error('otp=492039 and "totp": "492039" were refused, /x?code=492039&state=492039'),
          {},
        )
      },
    })
    await call(worker, '/?code=492039&otp=492039&state=492039&totp=492039')
    capture.captureMessage('odd', { extra: { otp: '492039', totpCode: '492039', recoveryCode: '492039' } })
    await expect.poll(() => ingest.errors.length).toBe(2)
    expect(ingest.raw.join()).not.toContain('492039')
  })
})
