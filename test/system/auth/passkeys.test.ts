import { administration } from 'breakwater/auth/administration'
import type { CreationOptions, RequestOptions } from 'breakwater/auth/passkeys'
import { passkeyRoutes } from 'breakwater/auth/passkeys'
import { createLimiter, memory } from 'breakwater/rate-limit'
import { hc } from 'hono/client'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { stepAt, totpCode } from '../../../src/auth/totp.ts'
import { type SoftwareAuthenticator, softwareAuthenticator, type Wrong } from '../support/authenticator.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { type Application, type Client, createApplication, PASSWORD } from './support.ts'

const ORIGIN = 'https://app.example'
let scratch: ScratchDatabase
let app: Application
let count = 0

async function start(overrides: Parameters<typeof createApplication>[1] = {}): Promise<Application> {
  const application = await createApplication(scratch, overrides)
  application.app.route('/auth/passkeys', passkeyRoutes(application.auth, { perUser: 3 }))
  return application
}

beforeAll(async () => {
  scratch = await scratchDatabase()
  app = await start({ tokens: {} })
})
afterEach(() => app.settle())

const optionsOf = <T>(reply: { readonly json: unknown }) => reply.json as T

async function added(client: Client, authenticator: SoftwareAuthenticator, name?: string) {
  const options = await client.post('/auth/passkeys/register/options')
  expect(options.status).toBe(200)
  const credential = authenticator.create(optionsOf<CreationOptions>(options))
  const reply = await client.post('/auth/passkeys/register', { credential, ...(name && { name }) })
  expect(reply).toMatchObject({ status: 200 })
  return reply.json as {
    passkey: { id: string; name: string }
    recoveryCodes?: string[]
    session: { id: string }
    user: { id: string }
  }
}

interface Person {
  readonly email: string
  readonly client: Client
  readonly authenticator: SoftwareAuthenticator
  readonly passkey: { readonly id: string; readonly name: string }
  readonly recoveryCodes: string[]
}

async function person(options: Parameters<typeof softwareAuthenticator>[1] = {}, on = app): Promise<Person> {
  const email = `passkey${++count}@example.com`
  await on.register(email)
  const client = await on.signedIn(email)
  const authenticator = softwareAuthenticator(ORIGIN, options)
  const { passkey, recoveryCodes = [] } = await added(client, authenticator)
  return { email, client, authenticator, passkey, recoveryCodes }
}

async function ask(client: Client): Promise<RequestOptions> {
  return optionsOf<RequestOptions>(await client.post('/auth/passkeys/sign-in/options', {}))
}

async function signIn(client: Client, authenticator: SoftwareAuthenticator, wrong?: Wrong) {
  const credential = authenticator.get(await ask(client), wrong)
  return client.post('/auth/passkeys/sign-in', { credential })
}

async function challenged(email: string): Promise<{ client: Client; challenge: string }> {
  const client = app.createClient()
  const reply = await client.post('/auth/sign-in', { email, password: PASSWORD })
  expect(reply).toMatchObject({ status: 202, json: { status: 'mfa-required' } })
  return { client, challenge: String(reply.json['challenge']) }
}

describe('adding a passkey', () => {
  it('ends the other sessions, tells the owner, and gives recovery codes with the first', async () => {
    const email = 'adding-a-passkey@example.com'
    await app.register(email)
    const [client, other] = [await app.signedIn(email), await app.signedIn(email)]
    const before = client.jar.get('__Host-session')
    const authenticator = softwareAuthenticator(ORIGIN)
    const first = await added(client, authenticator, '  My laptop ')
    expect(first).toMatchObject({
      passkey: { name: 'My laptop' },
      session: { methods: ['password', 'passkey'] },
    })
    expect(first.recoveryCodes).toHaveLength(10)
    expect(client.jar.get('__Host-session')).not.toBe(before)
    expect((await client.get('/me')).status).toBe(200)
    expect((await other.get('/me')).status).toBe(401)
    expect((await app.runJobs()).map((mail) => mail.tag)).toContain('passkey-added')

    const second = await added(client, softwareAuthenticator(ORIGIN))
    expect(second.passkey.name).toBe('Firefox on Linux')
    expect(second.recoveryCodes).toBeUndefined()
    const list = await client.get('/auth/passkeys')
    expect(list.json['passkeys']).toMatchObject([
      { name: 'My laptop', lastUsedAt: null, backedUp: true, transports: ['hybrid', 'internal'] },
      { name: 'Firefox on Linux' },
    ])
    const events = await administration(app.auth).listEvents(first.user.id)
    expect(events.filter(({ type }) => type === 'passkey-added')).toHaveLength(2)
  })

  it('says which there are, and stops at the most there may be', async () => {
    const { client, authenticator } = await person()
    await added(client, authenticator)
    const options = optionsOf<CreationOptions>(await client.post('/auth/passkeys/register/options'))
    expect(options).toMatchObject({
      rp: { id: 'app.example', name: 'Acme' },
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    })
    expect(options.excludeCredentials.map(({ id }) => id)).toEqual(
      authenticator.held.map(({ id }) => id.toString('base64url')),
    )
    // Nobody's name or address is in what authenticators know a person by.
    expect(Buffer.from(options.user.id, 'base64url')).toHaveLength(16)
    await added(client, authenticator)
    expect(await client.post('/auth/passkeys/register/options')).toMatchObject({ status: 409 })
    const late = await client.post('/auth/passkeys/register', { credential: authenticator.create(options) })
    expect(late.status).toBe(400)
  })

  it('asks for a fresh sign-in, and for a sign-in at all', async () => {
    const { client, authenticator } = await person()
    const options = optionsOf<CreationOptions>(await client.post('/auth/passkeys/register/options'))
    await scratch.pool.query("update breakwater.sessions set authenticated_at = now() - interval '1 hour'")
    for (const reply of [
      await client.post('/auth/passkeys/register/options'),
      await client.post('/auth/passkeys/register', { credential: authenticator.create(options) }),
    ]) {
      expect(reply).toMatchObject({ status: 403, json: { code: 'fresh-authentication-required' } })
    }
    expect((await app.createClient().post('/auth/passkeys/register/options')).status).toBe(401)
    expect((await app.createClient().get('/auth/passkeys')).status).toBe(401)
  })

  it.each<[string, Wrong]>([
    ['another origin', { origin: 'https://evil.example' }],
    ['another relying party', { rpId: 'evil.example' }],
    ['no user verification', { verified: false }],
    ['nobody there', { present: false }],
  ])('is refused with %s', async (_, wrong) => {
    const { client, authenticator } = await person()
    const options = optionsOf<CreationOptions>(await client.post('/auth/passkeys/register/options'))
    const reply = await client.post('/auth/passkeys/register', {
      credential: authenticator.create(options, wrong),
    })
    expect(reply).toMatchObject({ status: 422, json: { fields: [{ pointer: '/credential' }] } })
    expect((await client.get('/auth/passkeys')).json['passkeys']).toHaveLength(1)
  })

  it('takes a challenge of the very session that asked, and no made-up one', async () => {
    const [one, two] = [await person(), await person()]
    const options = optionsOf<CreationOptions>(await one.client.post('/auth/passkeys/register/options'))
    const stolen = await two.client.post('/auth/passkeys/register', {
      credential: two.authenticator.create(options),
    })
    expect(stolen).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
    const again = await app.createClient().post('/auth/passkeys/sign-in/options', {})
    const { challenge } = optionsOf<RequestOptions>(again)
    for (const wrong of [{ challenge }, { challenge: 'AAAA' }, { challenge: '' }]) {
      const credential = one.authenticator.create(options, wrong)
      const reply = await one.client.post('/auth/passkeys/register', { credential })
      expect(reply).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
    }
  })

  it('takes one of two answers to one challenge', async () => {
    const { client, authenticator } = await person()
    const options = optionsOf<CreationOptions>(await client.post('/auth/passkeys/register/options'))
    const replies = await Promise.all(
      [1, 2].map(() => client.post('/auth/passkeys/register', { credential: authenticator.create(options) })),
    )
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
    const { rows } = await scratch.pool.query(
      'select count(*)::int as n from breakwater.passkeys where user_id = (select user_id from breakwater.passkeys order by created_at desc limit 1)',
    )
    expect(rows).toEqual([{ n: 2 }])
  })

  it('refuses a passkey that somebody has already', async () => {
    const [one, two] = [await person(), await person()]
    const options = optionsOf<CreationOptions>(await two.client.post('/auth/passkeys/register/options'))
    const mine = one.authenticator.held[0]
    const credential = two.authenticator.create(options)
    const key = two.authenticator.held.at(-1)
    const object = Buffer.from(credential.response.attestationObject, 'base64url')
    mine?.id.copy(object, object.indexOf(key?.id ?? ''))
    const id = mine?.id.toString('base64url') ?? ''
    const reply = await two.client.post('/auth/passkeys/register', {
      credential: {
        ...credential,
        id,
        rawId: id,
        response: { ...credential.response, attestationObject: object.toString('base64url') },
      },
    })
    expect(reply).toMatchObject({ status: 409, json: { code: 'conflict' } })
  })

  it.each([
    ['nothing', undefined],
    ['a text', 'credential'],
    ['an empty object', {}],
    ['a number where a text belongs', { id: 1, rawId: 1, type: 'public-key', response: {} }],
  ])('answers %s for a credential with what is wrong', async (_, credential) => {
    const { client } = await person()
    expect(await client.post('/auth/passkeys/register', { credential })).toMatchObject({ status: 422 })
    expect(await client.post('/auth/passkeys/sign-in', { credential })).toMatchObject({ status: 422 })
  })
})

describe('signing in by a passkey', () => {
  it('takes no name and no password, and begins a session that is fresh', async () => {
    const { authenticator } = await person()
    await app.runJobs()
    const client = app.createClient()
    const options = await ask(client)
    expect(options).toMatchObject({ rpId: 'app.example', allowCredentials: [], userVerification: 'required' })
    const reply = await client.post('/auth/passkeys/sign-in', { credential: authenticator.get(options) })
    expect(reply).toMatchObject({ status: 200, json: { session: { methods: ['passkey'] } } })
    expect((await client.post('/danger')).status).toBe(200)
    const { passkeys } = (await client.get('/auth/passkeys')).json as {
      passkeys: { lastUsedAt: string | null }[]
    }
    expect(passkeys[0]?.lastUsedAt).not.toBeNull()
    // On a device that was not seen before, the owner hears of it, as with a password.
    expect((await app.runJobs()).map((mail) => mail.tag)).toEqual(['new-device'])
    expect((await signIn(client, authenticator)).status).toBe(200)
    expect(await app.runJobs()).toEqual([])
  })

  it('asks the database twice and the limiter once', async () => {
    const { authenticator, client: owner } = await person()
    const asked = { database: 0, limiter: 0 }
    const counted = await start({
      db: {
        execute: (query) => {
          asked.database++
          return scratch.db.execute(query)
        },
        transaction: (work) => scratch.db.transaction(work),
      },
      limiter: {
        check: async () => {
          asked.limiter++
          return { allowed: true, retryAfter: 0, violated: [] }
        },
      },
    })
    const client = counted.createClient()
    // A device that is known, so that nobody is told.
    client.jar.set('__Host-device', owner.jar.get('__Host-device') ?? '')
    const options = await ask(client)
    expect(asked).toEqual({ database: 0, limiter: 0 })
    const reply = await client.post('/auth/passkeys/sign-in', { credential: authenticator.get(options) })
    expect(reply.status).toBe(200)
    await counted.settle()
    expect(asked).toEqual({ database: 2, limiter: 1 })
  })

  it('replaces the session it came with', async () => {
    const { client, authenticator } = await person()
    const old = client.jar.get('__Host-session') ?? ''
    expect((await signIn(client, authenticator)).status).toBe(200)
    const other = app.createClient()
    other.jar.set('__Host-session', old)
    expect((await other.get('/me')).status).toBe(401)
  })

  it('gives tokens to native apps, which have no cookies', async () => {
    const { authenticator } = await person()
    const client = app.createClient()
    const options = await client.post('/auth/passkeys/sign-in/options', { transport: 'token' })
    expect(options.cookies).toEqual([])
    const credential = authenticator.get(optionsOf<RequestOptions>(options))
    // Not to be turned into a cookie by another page.
    expect((await client.post('/auth/passkeys/sign-in', { credential })).status).toBe(400)
    const reply = await client.post('/auth/passkeys/sign-in', { credential, transport: 'token' })
    expect(reply).toMatchObject({ status: 200, json: { tokens: { tokenType: 'Bearer' } } })
    expect(client.jar.has('__Host-session')).toBe(false)
  })

  it.each<[string, Wrong]>([
    ['another origin', { origin: 'https://evil.example' }],
    ['another relying party', { rpId: 'evil.example' }],
    ['no user verification', { verified: false }],
    ['nobody there', { present: false }],
    ['a wrong signature', { forged: true }],
    ['the ceremony of a new passkey', { type: 'webauthn.create' }],
    ['a frame of another origin', { crossOrigin: true }],
    ['no user handle', { userHandle: null }],
    ['somebody else’s user handle', { userHandle: 'AZqgWwfvdACAAAAAAAAAAA' }],
  ])('is refused with %s', async (_, wrong) => {
    const { authenticator } = await person()
    const client = app.createClient()
    const reply = await signIn(client, authenticator, wrong)
    expect(reply).toMatchObject({ status: 401, json: { code: 'invalid-credentials' } })
    expect(client.jar.has('__Host-session')).toBe(false)
  })

  it('says the same of a passkey that nobody has', async () => {
    const { authenticator, client, passkey } = await person()
    const removed = await client.send('DELETE', `/auth/passkeys/${passkey.id}`)
    expect(removed.status).toBe(200)
    const reply = await signIn(app.createClient(), authenticator)
    expect(reply).toMatchObject({ status: 401, json: { code: 'invalid-credentials' } })
  })

  it('takes each challenge once, though its answer comes twenty times at once', async () => {
    const { authenticator } = await person()
    const client = app.createClient()
    const credential = authenticator.get(await ask(client))
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => client.post('/auth/passkeys/sign-in', { credential })),
    )
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(
      replies.filter(({ status, json }) => status === 400 && json['code'] === 'invalid-token'),
    ).toHaveLength(19)
    expect((await client.post('/auth/passkeys/sign-in', { credential })).status).toBe(400)
  })

  it('takes a challenge in the browser that asked for it, in whichever of its tabs', async () => {
    const { authenticator } = await person()
    const [client, thief] = [app.createClient(), app.createClient()]
    const [one, two] = [await ask(client), await ask(client)]
    await ask(thief)
    const credential = authenticator.get(one)
    expect((await thief.post('/auth/passkeys/sign-in', { credential })).status).toBe(400)
    const bare = app.createClient()
    expect((await bare.post('/auth/passkeys/sign-in', { credential })).status).toBe(400)
    expect((await client.post('/auth/passkeys/sign-in', { credential })).status).toBe(200)
    expect((await client.post('/auth/passkeys/sign-in', { credential: authenticator.get(two) })).status).toBe(
      200,
    )
  })

  it('is over for an account that was disabled', async () => {
    const { client, authenticator } = await person()
    const { user } = (await client.get('/auth/session')).json as { user: { id: string } }
    await administration(app.auth).disableUser(user.id)
    expect((await signIn(app.createClient(), authenticator)).status).toBe(401)
  })

  it('asks the hook first, and writes down what happened', async () => {
    const told: string[] = []
    const hooked = await start({
      hooks: {
        before: ({ type, email }) => void told.push(`${type} ${email}`),
        after: ({ type }) => void told.push(type),
      },
    })
    const { authenticator, email } = await person({}, hooked)
    told.length = 0
    const client = hooked.createClient()
    expect((await signIn(client, authenticator, { forged: true })).status).toBe(401)
    await hooked.settle()
    expect((await signIn(client, authenticator)).status).toBe(200)
    await hooked.settle()
    expect(told).toEqual(['sign-in-failed', `signed-in ${email}`, 'signed-in'])
    const { user } = (await client.get('/auth/session')).json as { user: { id: string } }
    const events = await administration(hooked.auth).listEvents(user.id)
    expect(events.map(({ type }) => type).slice(0, 2)).toEqual(['signed-in', 'sign-in-failed'])
  })

  it('stops who tries too often, and not the owner on a known device', async () => {
    const limited = await start({
      limiter: createLimiter({
        store: memory(),
        secret: 'a secret of the tests, long enough',
        policies: { credentials: { quota: 5, window: '1 h', algorithm: 'token-bucket' } },
      }),
    })
    const { authenticator, client: owner } = await person({}, limited)
    for (let i = 0; i < 5; i++) {
      const reply = await signIn(limited.createClient(`198.51.100.${i}`), authenticator, { forged: true })
      expect(reply.status).toBe(401)
    }
    const stranger = limited.createClient('198.51.100.77')
    expect(await signIn(stranger, authenticator)).toMatchObject({
      status: 429,
      json: { code: 'quota-exceeded' },
    })
    expect((await signIn(owner, authenticator)).status).toBe(200)
  })
})

describe('the signature counter', () => {
  it('lets a security key in as it counts on', async () => {
    const { authenticator } = await person({ counts: true })
    for (let i = 0; i < 3; i++) expect((await signIn(app.createClient(), authenticator)).status).toBe(200)
    const { rows } = await scratch.pool.query(
      'select counter::int, backup_eligible from breakwater.passkeys order by created_at desc limit 1',
    )
    expect(rows).toEqual([{ counter: 4, backup_eligible: false }])
  })

  it('refuses a copy that counts from behind, and tells the owner', async () => {
    const { authenticator, client } = await person({ counts: true })
    expect((await signIn(app.createClient(), authenticator)).status).toBe(200)
    await app.runJobs()
    for (const counter of [2, 1, 0]) {
      const reply = await signIn(app.createClient(), authenticator, { counter })
      expect(reply).toMatchObject({ status: 401, json: { code: 'invalid-credentials' } })
    }
    expect((await app.runJobs()).map((mail) => mail.tag)).toContain('passkey-copied')
    const { user } = (await client.get('/auth/session')).json as { user: { id: string } }
    const events = await administration(app.auth).listEvents(user.id)
    expect(events.filter(({ type }) => type === 'passkey-copied')).toHaveLength(3)
  })

  it('does not take the same answer sent twice for a copy', async () => {
    const { authenticator } = await person({ counts: true })
    const client = app.createClient()
    const credential = authenticator.get(await ask(client))
    await Promise.all([1, 2, 3].map(() => client.post('/auth/passkeys/sign-in', { credential })))
    await client.post('/auth/passkeys/sign-in', { credential })
    expect((await app.runJobs()).map((mail) => mail.tag)).not.toContain('passkey-copied')
  })
})

describe('a passkey after a password', () => {
  const bySecondFactor = async (who: Person, wrong?: Wrong) => {
    const { client, challenge } = await challenged(who.email)
    const asked = await client.post('/auth/passkeys/second-factor/options', { challenge })
    const credential = who.authenticator.get(optionsOf<RequestOptions>(asked), wrong)
    return {
      client,
      challenge,
      credential,
      reply: await client.post('/auth/passkeys/second-factor', { challenge, credential }),
    }
  }

  it('is asked for from the first one on, and gives the session', async () => {
    const who = await person()
    const due = await app.createClient().post('/auth/sign-in', { email: who.email, password: PASSWORD })
    expect(due).toMatchObject({ status: 202, json: { methods: ['passkey', 'recovery-code'] } })
    const { reply, client, challenge, credential } = await bySecondFactor(who)
    expect(reply).toMatchObject({ status: 200, json: { session: { methods: ['password', 'passkey'] } } })
    expect((await client.get('/me')).status).toBe(200)
    const again = await app.createClient().post('/auth/passkeys/second-factor', { challenge, credential })
    expect(again).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
  })

  it.each<[string, Wrong]>([
    ['another origin', { origin: 'https://evil.example' }],
    ['no user verification', { verified: false }],
    ['a wrong signature', { forged: true }],
  ])('is refused with %s', async (_, wrong) => {
    const who = await person()
    const { reply, client } = await bySecondFactor(who, wrong)
    expect(reply).toMatchObject({ status: 401, json: { code: 'invalid-credentials' } })
    expect(client.jar.has('__Host-session')).toBe(false)
    await app.settle()
    const { user } = (await who.client.get('/auth/session')).json as { user: { id: string } }
    const events = await administration(app.auth).listEvents(user.id)
    expect(events[0]?.type).toBe('second-factor-failed')
  })

  it('is refused when it is somebody else’s, or answers another sign-in', async () => {
    const [victim, thief] = [await person(), await person()]
    const { client, challenge } = await challenged(victim.email)
    const asked = await client.post('/auth/passkeys/second-factor/options', { challenge })
    const options = optionsOf<RequestOptions>(asked)
    const foreign = thief.authenticator.get({ ...options, allowCredentials: [] })
    const reply = await client.post('/auth/passkeys/second-factor', { challenge, credential: foreign })
    expect(reply).toMatchObject({ status: 401, json: { code: 'invalid-credentials' } })
    const own = await challenged(thief.email)
    const credential = thief.authenticator.get({ ...options, allowCredentials: [] })
    const mixed = await own.client.post('/auth/passkeys/second-factor', {
      challenge: own.challenge,
      credential,
    })
    expect(mixed).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
    const bogus = await client.post('/auth/passkeys/second-factor/options', { challenge: 'made up' })
    expect(bogus).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
  })

  it('can be stood in for by a recovery code, once each, and these can be made anew by one', async () => {
    const who = await person()
    const { client, challenge } = await challenged(who.email)
    const code = who.recoveryCodes[0]
    const digits = await client.post('/auth/sign-in/second-factor', { challenge, code: '123456' })
    expect(digits.status).toBe(401)
    const reply = await client.post('/auth/sign-in/second-factor', { challenge, code })
    expect(reply).toMatchObject({
      status: 200,
      json: { session: { methods: ['password', 'recovery-code'] } },
    })
    const next = await challenged(who.email)
    expect(
      (await next.client.post('/auth/sign-in/second-factor', { challenge: next.challenge, code })).status,
    ).toBe(401)
    const renewed = await client.post('/auth/second-factor/recovery-codes', { code: who.recoveryCodes[1] })
    expect(renewed.json['recoveryCodes']).toHaveLength(10)
  })

  it('stands beside an authenticator app, and either does', async () => {
    const who = await person()
    const enrol = await who.client.post('/auth/second-factor/totp/enrol')
    const bits = [...String(enrol.json['secret'])]
      .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
      .join('')
    const secret = Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2))
    const step = stepAt(Date.now())
    const confirmed = await who.client.post('/auth/second-factor/totp/confirm', {
      code: await totpCode(secret, step - 1),
    })
    expect(confirmed.status).toBe(200)
    const due = await app.createClient().post('/auth/sign-in', { email: who.email, password: PASSWORD })
    expect(due.json['methods']).toEqual(['passkey', 'totp', 'recovery-code'])
    expect((await bySecondFactor(who)).reply.status).toBe(200)
    const { client, challenge } = await challenged(who.email)
    expect(
      (await client.post('/auth/sign-in/second-factor', { challenge, code: await totpCode(secret, step) }))
        .status,
    ).toBe(200)
    // Without the app the passkey is still asked for, and the codes still stand in for it.
    const removed = await client.post('/auth/second-factor/totp/remove', {
      code: await totpCode(secret, step + 1),
    })
    expect(removed.status).toBe(200)
    expect((await client.get('/auth/second-factor')).json).toEqual({ totp: false, recoveryCodes: 10 })
    await challenged(who.email)
  })

  it('is not got round by a sign-in that was under way when it was added', async () => {
    for (let round = 0; round < 5; round++) {
      const email = `under-way${round}@example.com`
      await app.register(email)
      const client = await app.signedIn(email)
      const options = optionsOf<CreationOptions>(await client.post('/auth/passkeys/register/options'))
      const credential = softwareAuthenticator(ORIGIN).create(options)
      const others = Array.from({ length: 6 }, () => app.createClient())
      const [registered] = await Promise.all([
        client.post('/auth/passkeys/register', { credential }),
        ...others.map((other) => other.post('/auth/sign-in', { email, password: PASSWORD })),
      ])
      expect(registered.status).toBe(200)
      for (const other of others) expect((await other.get('/me')).status).toBe(401)
    }
  })
})

describe('looking after passkeys', () => {
  it('calls one something else', async () => {
    const { client, passkey } = await person()
    const path = `/auth/passkeys/${passkey.id}`
    expect(await client.send('PATCH', path, { name: 'Key on my ring' })).toMatchObject({
      status: 200,
      json: { name: 'Key on my ring' },
    })
    for (const name of ['', ' ', 'x'.repeat(65), 'a\nb', 7]) {
      expect((await client.send('PATCH', path, { name })).status).toBe(422)
    }
    const other = await person()
    for (const who of [other.client, app.createClient()]) {
      expect([401, 404]).toContain((await who.send('PATCH', path, { name: 'mine now' })).status)
    }
    expect((await client.send('PATCH', '/auth/passkeys/nonsense', { name: 'x' })).status).toBe(404)
  })

  it('removes one, ends the other sessions, tells the owner, and asks for no more than the password again', async () => {
    const { client, authenticator, passkey, email } = await person()
    const other = app.createClient()
    await signIn(other, authenticator)
    await app.runJobs()
    const stranger = await person()
    expect((await stranger.client.send('DELETE', `/auth/passkeys/${passkey.id}`)).status).toBe(404)
    const reply = await client.send('DELETE', `/auth/passkeys/${passkey.id}`)
    expect(reply.status).toBe(200)
    expect((await client.get('/me')).status).toBe(200)
    expect((await other.get('/me')).status).toBe(401)
    expect((await app.runJobs()).map((mail) => mail.tag)).toContain('passkey-removed')
    expect((await client.get('/auth/second-factor')).json).toEqual({ totp: false, recoveryCodes: 0 })
    await app.signedIn(email)
    expect((await client.send('DELETE', `/auth/passkeys/${passkey.id}`)).status).toBe(404)
  })

  it('asks for a fresh sign-in before removing one', async () => {
    const { client, passkey } = await person()
    await scratch.pool.query("update breakwater.sessions set authenticated_at = now() - interval '1 hour'")
    expect((await client.send('DELETE', `/auth/passkeys/${passkey.id}`)).status).toBe(403)
    expect((await client.get('/auth/passkeys')).json['passkeys']).toHaveLength(1)
  })

  it('leaves the last way in to who has no password, two removals at once included', async () => {
    const { client, authenticator, passkey } = await person()
    const { passkey: second } = await added(client, authenticator)
    const { user } = (await client.get('/auth/session')).json as { user: { id: string } }
    await scratch.pool.query('update breakwater.users set password_hash = null where id = $1', [user.id])
    const replies = await Promise.all(
      [passkey.id, second.id].map((id) => client.send('DELETE', `/auth/passkeys/${id}`)),
    )
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
    const { passkeys } = (await client.get('/auth/passkeys')).json as { passkeys: { id: string }[] }
    expect(passkeys).toHaveLength(1)
    const last = await client.send('DELETE', `/auth/passkeys/${passkeys[0]?.id}`)
    expect(last).toMatchObject({ status: 409, json: { code: 'conflict' } })
    expect((await client.get('/auth/passkeys')).json['passkeys']).toHaveLength(1)
    expect((await client.get('/me')).status).toBe(200)
  })

  it('ends a sign-in that was under way when the passkey was removed', async () => {
    for (let round = 0; round < 5; round++) {
      const { client, authenticator, passkey } = await person()
      const others = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const other = app.createClient()
          return { other, credential: authenticator.get(await ask(other)) }
        }),
      )
      const [removed] = await Promise.all([
        client.send('DELETE', `/auth/passkeys/${passkey.id}`),
        ...others.map(({ other, credential }) => other.post('/auth/passkeys/sign-in', { credential })),
      ])
      expect(removed.status).toBe(200)
      for (const { other } of others) expect((await other.get('/me')).status).toBe(401)
    }
  })

  it('takes them off an account with its other factors, by an administrator', async () => {
    const { client, email } = await person()
    const { user } = (await client.get('/auth/session')).json as { user: { id: string } }
    expect(await administration(app.auth).removeSecondFactor(user.id)).toBe(true)
    expect((await client.get('/me')).status).toBe(401)
    await app.signedIn(email)
    expect(await administration(app.auth).removeSecondFactor(user.id)).toBe(false)
  })

  it('forgets answered challenges once they have expired', async () => {
    await scratch.pool.query("update breakwater.spent_challenges set expires_at = now() - interval '1 s'")
    expect(await administration(app.auth).prune()).toBeGreaterThan(0)
    const { rows } = await scratch.pool.query('select from breakwater.spent_challenges')
    expect(rows).toEqual([])
  })

  it('gives hc the types of its endpoints', async () => {
    const routes = passkeyRoutes(app.auth)
    const client = hc<typeof routes>('https://app.example/auth/passkeys')
    type Options = Awaited<ReturnType<Awaited<ReturnType<typeof client.register.options.$post>>['json']>>
    const domain = (options: Options): string => options.rp.id
    expect(domain).toBeInstanceOf(Function)
    type List = Awaited<ReturnType<Awaited<ReturnType<typeof client.index.$get>>['json']>>
    const names = (list: List): string[] => list.passkeys.map(({ name }) => name)
    expect(names({ passkeys: [] })).toEqual([])
  })
})
