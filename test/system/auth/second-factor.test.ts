import { administration } from 'breakwater/auth/administration'
import { beforeAll, describe, expect, it } from 'vitest'
import { stepAt, totpCode } from '../../../src/auth/totp.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { type Application, type Client, createApplication, OTHER_PASSWORD, PASSWORD } from './support.ts'

let scratch: ScratchDatabase
let app: Application
let count = 0

beforeAll(async () => {
  scratch = await scratchDatabase()
  app = await createApplication(scratch)
})

const fromBase32 = (text: string): Uint8Array<ArrayBuffer> => {
  const bits = [...text]
    .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
    .join('')
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2))
}

interface Person {
  readonly email: string
  readonly client: Client
  readonly secret: Uint8Array<ArrayBuffer>
  readonly recoveryCodes: string[]
}

/** Codes of the steps that may be used, each of which works once: the test need not wait for half a minute. */
const codeAt = (person: Person, offset: -1 | 0 | 1) => totpCode(person.secret, stepAt(Date.now()) + offset)

async function enrolled(): Promise<Person> {
  const email = `factor${++count}@example.com`
  await app.register(email)
  const client = await app.signedIn(email)
  const { json } = await client.post('/auth/second-factor/totp/enrol')
  const secret = fromBase32(String(json['secret']))
  const code = await totpCode(secret, stepAt(Date.now()) - 1)
  const confirmed = await client.post('/auth/second-factor/totp/confirm', { code })
  expect(confirmed.status).toBe(200)
  return { email, client, secret, recoveryCodes: confirmed.json['recoveryCodes'] as string[] }
}

async function challenged(
  email: string,
  password = PASSWORD,
): Promise<{ client: Client; challenge: string }> {
  const client = app.createClient()
  const reply = await client.post('/auth/sign-in', { email, password })
  expect(reply).toMatchObject({ status: 202, json: { status: 'mfa-required' } })
  expect(client.jar.has('__Host-session')).toBe(false)
  return { client, challenge: String(reply.json['challenge']) }
}

describe('an authenticator app', () => {
  it('is added by its first code, ends the other sessions, and is asked for from then on', async () => {
    const email = 'adding@example.com'
    await app.register(email)
    const [client, other] = [await app.signedIn(email), await app.signedIn(email)]
    const enrol = await client.post('/auth/second-factor/totp/enrol')
    expect(enrol.json['uri']).toMatch(/^otpauth:\/\/totp\//)
    // Nothing is asked for until a code has come back.
    await app.signedIn(email)
    const wrong = await client.post('/auth/second-factor/totp/confirm', { code: '000000' })
    expect(wrong).toMatchObject({ status: 401, json: { code: 'invalid-credentials' } })

    const secret = fromBase32(String(enrol.json['secret']))
    const before = client.jar.get('__Host-session')
    const done = await client.post('/auth/second-factor/totp/confirm', {
      code: await totpCode(secret, stepAt(Date.now())),
    })
    expect(done).toMatchObject({ status: 200, json: { session: { methods: ['password', 'totp'] } } })
    expect(done.json['recoveryCodes']).toHaveLength(10)
    expect(client.jar.get('__Host-session')).not.toBe(before)
    expect((await client.get('/me')).status).toBe(200)
    expect((await other.get('/me')).status).toBe(401)
    expect((await client.get('/auth/second-factor')).json).toEqual({ totp: true, recoveryCodes: 10 })
    expect((await app.runJobs()).map((mail) => mail.tag)).toContain('second-factor-added')
    expect((await client.post('/auth/second-factor/totp/enrol')).status).toBe(409)
    await challenged(email)

    const { rows } = await scratch.pool.query('select sealed_secret from breakwater.totp_factors')
    expect(JSON.stringify(rows)).not.toContain(String(enrol.json['secret']))
  })

  it('lets somebody in by password and code, and by each code once', async () => {
    const person = await enrolled()
    const { client, challenge } = await challenged(person.email)
    const code = await codeAt(person, 0)
    expect((await client.post('/auth/sign-in/second-factor', { challenge, code: '000000' })).status).toBe(401)
    const reply = await client.post('/auth/sign-in/second-factor', { challenge, code })
    expect(reply).toMatchObject({ status: 200, json: { session: { methods: ['password', 'totp'] } } })
    expect((await client.get('/me')).status).toBe(200)
    const again = await app.createClient().post('/auth/sign-in/second-factor', { challenge, code })
    expect(again).toMatchObject({ status: 401, json: { code: 'invalid-credentials' } })
  })

  it('takes one code once, though it comes twenty times at once', async () => {
    const person = await enrolled()
    const { challenge } = await challenged(person.email)
    const code = await codeAt(person, 1)
    const replies = await Promise.all(
      Array.from({ length: 20 }, () =>
        app.createClient().post('/auth/sign-in/second-factor', { challenge, code }),
      ),
    )
    expect(replies.filter((r) => r.status === 200)).toHaveLength(1)
    expect(replies.filter((r) => r.status === 401)).toHaveLength(19)
  })

  it('is not got round by a reset, and a challenge dies with the password it was given for', async () => {
    const person = await enrolled()
    const { client, challenge } = await challenged(person.email)
    await client.post('/auth/password/forgot', { email: person.email })
    const mail = (await app.runJobs()).find((m) => m.tag === 'reset-password')
    await client.post('/auth/password/reset', { token: app.tokenIn(mail), newPassword: OTHER_PASSWORD })
    const stale = await client.post('/auth/sign-in/second-factor', {
      challenge,
      code: await codeAt(person, 0),
    })
    expect(stale).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
    const next = await challenged(person.email, OTHER_PASSWORD)
    const reply = await next.client.post('/auth/sign-in/second-factor', {
      challenge: next.challenge,
      code: await codeAt(person, 0),
    })
    expect(reply.status).toBe(200)
  })

  it('is removed by a code, and then not asked for', async () => {
    const person = await enrolled()
    const refused = await person.client.post('/auth/second-factor/totp/remove', { code: '000000' })
    expect(refused.status).toBe(401)
    const reply = await person.client.post('/auth/second-factor/totp/remove', {
      code: await codeAt(person, 0),
    })
    expect(reply).toMatchObject({ status: 200, json: { session: { methods: ['password'] } } })
    expect((await person.client.get('/auth/second-factor')).json).toEqual({ totp: false, recoveryCodes: 0 })
    await app.signedIn(person.email)
  })

  it('is taken off by an administrator for who has lost everything', async () => {
    const person = await enrolled()
    const { user } = (await person.client.get('/auth/session')).json as { user: { id: string } }
    expect(await administration(app.auth).removeSecondFactor(user.id)).toBe(true)
    expect((await person.client.get('/me')).status).toBe(401)
    await app.signedIn(person.email)
  })

  it('still opens after the secrets were rotated and sealed again', async () => {
    const person = await enrolled()
    const rotated = await createApplication(scratch, {
      secrets: ['a newer secret of the tests, long too', 'a secret of the tests, long enough'],
    })
    expect(await administration(rotated.auth).reseal()).toBeGreaterThan(0)
    expect(await administration(rotated.auth).reseal()).toBe(0)
    const alone = await createApplication(scratch, { secrets: ['a newer secret of the tests, long too'] })
    const client = alone.createClient()
    const { json } = await client.post('/auth/sign-in', { email: person.email, password: PASSWORD })
    const reply = await client.post('/auth/sign-in/second-factor', {
      challenge: json['challenge'],
      code: await codeAt(person, 0),
    })
    expect(reply.status).toBe(200)
  })
})

describe('recovery codes', () => {
  it('let somebody in once each, and the owner hears of it', async () => {
    const person = await enrolled()
    await app.runJobs()
    const code = person.recoveryCodes[0] ?? ''
    const { client, challenge } = await challenged(person.email)
    const replies = await Promise.all(
      [client, app.createClient()].map((c) => c.post('/auth/sign-in/second-factor', { challenge, code })),
    )
    expect(replies.map((r) => r.status).sort()).toEqual([200, 401])
    expect((await person.client.get('/auth/second-factor')).json).toEqual({ totp: true, recoveryCodes: 9 })
    expect((await app.runJobs()).map((mail) => mail.tag)).toContain('recovery-code-used')
    const { rows } = await scratch.pool.query('select code_hash from breakwater.recovery_codes')
    expect(JSON.stringify(rows)).not.toContain(code)
  })

  it('are made anew by a code, and the old ones are dead', async () => {
    const person = await enrolled()
    const reply = await person.client.post('/auth/second-factor/recovery-codes', {
      code: person.recoveryCodes[3],
    })
    expect(reply.status).toBe(200)
    expect(reply.json['recoveryCodes']).toHaveLength(10)
    const { client, challenge } = await challenged(person.email)
    const old = await client.post('/auth/sign-in/second-factor', { challenge, code: person.recoveryCodes[4] })
    expect(old.status).toBe(401)
  })

  it('remove the app when it is lost', async () => {
    const person = await enrolled()
    const reply = await person.client.post('/auth/second-factor/totp/remove', {
      code: person.recoveryCodes[0],
    })
    expect(reply.status).toBe(200)
    expect((await person.client.get('/auth/second-factor')).json).toEqual({ totp: false, recoveryCodes: 0 })
  })
})
