import { administration } from 'breakwater/auth/administration'
import { type OpenIdOptions, type OpenIdTokens, openidRoutes } from 'breakwater/auth/openid'
import { type CreationOptions, passkeyRoutes } from 'breakwater/auth/passkeys'
import { resetBreakers } from 'breakwater/breaker'
import { hc } from 'hono/client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { softwareAuthenticator } from '../support/authenticator.ts'
import { type AtProvider, type RunningProvider, startOpenIdProvider } from '../support/openid-provider.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { type Application, type Client, createApplication, PASSWORD } from './support.ts'

const CALLBACK = 'https://app.example/auth/openid/acme/callback'
let scratch: ScratchDatabase
let provider: RunningProvider
let other: RunningProvider
let app: Application
let count = 0

type Tamper = (tokens: Record<string, unknown>) => Record<string, unknown>

/** Set by a test, the next reply of a token endpoint is changed by it. */
let tamper: Tamper | undefined

const call: typeof fetch = async (input, init) => {
  const response = await fetch(input, init)
  if (tamper === undefined || !new URL((input as Request).url).pathname.endsWith('/token')) return response
  const body = JSON.stringify(tamper((await response.json()) as Record<string, unknown>))
  return new Response(body, { status: response.status, headers: { 'content-type': 'application/json' } })
}

async function start(
  overrides: Parameters<typeof createApplication>[1] = {},
  options: Partial<OpenIdOptions> = {},
): Promise<Application> {
  const application = await createApplication(scratch, overrides)
  const { issuer, clientId, clientSecret } = provider
  application.app
    .route(
      '/auth/openid',
      openidRoutes(application.auth, {
        providers: [
          { id: 'acme', name: 'Acme Accounts', issuer, clientId, clientSecret },
          { id: 'other', issuer: other.issuer, clientId, clientSecret },
        ],
        fetch: call,
        ...options,
      }),
    )
    .route('/auth/passkeys', passkeyRoutes(application.auth))
  return application
}

beforeAll(async () => {
  scratch = await scratchDatabase()
  provider = await startOpenIdProvider([CALLBACK])
  other = await startOpenIdProvider([CALLBACK.replace('acme', 'other')])
  app = await start()
})
afterEach(async () => {
  tamper = undefined
  provider.state.down = false
  resetBreakers()
  await app.settle()
})
afterAll(async () => {
  await provider.stop()
  await other.stop()
})

/** Somebody new at the provider. */
function person(claims: { email?: string; email_verified?: boolean } = {}): { login: string; email: string } {
  const login = `subject-${++count}`
  const email = claims.email ?? `${login}@example.com`
  provider.accounts.set(login, { email, email_verified: true, ...claims })
  return { login, email }
}

async function begin(client: Client, body: object = {}, path = '/auth/openid/acme/start'): Promise<string> {
  const reply = await client.post(path, body)
  expect(reply).toMatchObject({ status: 200 })
  return String(reply.json['url'])
}

const comeBack = (client: Client, url: URL) => client.get(`${url.pathname}${url.search}`)

async function signIn(client: Client, doing: AtProvider, body?: object) {
  return comeBack(client, await provider.visit(await begin(client, body), doing))
}

const whoIs = async (client: Client) =>
  (await client.get('/auth/session')).json as { user: { id: string; email: string } | null }

describe('signing in with a provider', () => {
  it('makes an account at the first time and opens it from then on', async () => {
    const { login, email } = person()
    const client = app.createClient()
    const url = new URL(await begin(client, { returnTo: '/invoices?page=2#top' }))
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      redirect_uri: CALLBACK,
      scope: 'openid email',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    })
    const back = await provider.visit(url.href, { login })
    const reply = await comeBack(client, back)
    expect(reply.status).toBe(303)
    expect(reply.headers.get('location')).toBe('https://app.example/invoices?page=2#top')
    expect(reply.headers.get('referrer-policy')).toBe('no-referrer')
    expect(reply.headers.get('cache-control')).toBe('no-store')
    const { user } = await whoIs(client)
    expect(user?.email).toBe(email)
    expect([...client.jar.keys()].some((name) => name.startsWith('__Host-openid'))).toBe(false)

    const again = app.createClient()
    expect((await signIn(again, { login })).status).toBe(303)
    expect((await whoIs(again)).user?.id).toBe(user?.id)
    const { session } = (await again.get('/auth/session')).json as { session: { methods: string[] } }
    expect(session.methods).toEqual(['openid'])
    const events = await administration(app.auth).listEvents(user?.id ?? '')
    expect(events.map(({ type }) => type)).toEqual(['signed-in', 'signed-in', 'signed-up'])
  })

  it('knows people by issuer and subject, whatever their address is now', async () => {
    const { login } = person()
    const client = app.createClient()
    await signIn(client, { login })
    const { user } = await whoIs(client)
    provider.accounts.set(login, { email: 'renamed@example.com', email_verified: false })
    const again = app.createClient()
    await signIn(again, { login })
    expect((await whoIs(again)).user).toEqual(user)
    // The same subject at another provider is somebody else.
    other.accounts.set(login, { email: `other-${login}@example.com`, email_verified: true })
    const elsewhere = app.createClient()
    const url = await begin(elsewhere, {}, '/auth/openid/other/start')
    expect((await comeBack(elsewhere, await other.visit(url, { login }))).status).toBe(303)
    expect((await whoIs(elsewhere)).user?.id).not.toBe(user?.id)
  })

  it('keeps what it needs with the browser alone, sealed, and out of reach of script', async () => {
    const { login } = person()
    const client = app.createClient()
    const reply = await client.post('/auth/openid/acme/start', {})
    const state = new URL(String(reply.json['url'])).searchParams.get('state') ?? ''
    const cookie = reply.cookies.find((line) => line.startsWith('__Host-openid-'))
    expect(cookie).toMatch(/; HttpOnly; Secure; SameSite=Lax$/)
    expect(cookie).toMatch(/Path=\/;/)
    expect(cookie).not.toContain(state)
    // Two tabs do not spoil each other's.
    const second = await begin(client)
    const first = String(reply.json['url'])
    expect((await comeBack(client, await provider.visit(second, { login }))).status).toBe(303)
    expect((await comeBack(client, await provider.visit(first, { login }))).status).toBe(303)
  })

  it('leaves no more than a handful of cookies about, however often it is begun', async () => {
    const { login } = person()
    const client = app.createClient()
    for (let i = 0; i < 12; i++) await begin(client)
    const last = await begin(client)
    const underWay = [...client.jar.keys()].filter((name) => name.startsWith('__Host-openid-'))
    expect(underWay).toHaveLength(5)
    expect((await comeBack(client, await provider.visit(last, { login }))).status).toBe(303)
  })

  it('replaces the session it came with, and tells of a device that is new', async () => {
    const { login } = person()
    const client = app.createClient()
    await signIn(client, { login })
    const old = client.jar.get('__Host-session') ?? ''
    await app.runJobs()
    await signIn(client, { login })
    expect(client.jar.get('__Host-session')).not.toBe(old)
    expect(await app.runJobs()).toEqual([])
    const thief = app.createClient()
    thief.jar.set('__Host-session', old)
    expect((await thief.get('/me')).status).toBe(401)
    await signIn(app.createClient(), { login })
    expect((await app.runJobs()).map((mail) => mail.tag)).toEqual(['new-device'])
  })

  it('is fresh from when the person proved it, not from when they came by', async () => {
    const { login } = person()
    const client = app.createClient()
    tamper = ({ id_token, ...rest }) => ({
      ...rest,
      id_token: provider.resign(String(id_token), {
        claims: { auth_time: Math.floor(Date.now() / 1000) - 3600 },
      }),
    })
    await signIn(client, { login })
    expect(await client.post('/danger')).toMatchObject({
      status: 403,
      json: { code: 'fresh-authentication-required' },
    })
    tamper = undefined
    const url = new URL(await begin(client, { again: true }))
    expect(url.searchParams.get('prompt')).toBe('login')
    expect((await comeBack(client, await provider.visit(url.href, { login }))).status).toBe(303)
    expect((await client.post('/danger')).status).toBe(200)
    // Asked to prove it again, an old proof is not enough.
    tamper = ({ id_token, ...rest }) => ({
      ...rest,
      id_token: provider.resign(String(id_token), {
        claims: { auth_time: Math.floor(Date.now() / 1000) - 3600 },
      }),
    })
    expect((await signIn(client, { login }, { again: true })).status).toBe(401)
  })

  it('hands tokens to whoever asked for them, and stores none', async () => {
    const given: OpenIdTokens[] = []
    const asking = await start({}, { onTokens: (tokens) => void given.push(tokens) })
    const { login } = person()
    const client = asking.createClient()
    await signIn(client, { login })
    const { user } = await whoIs(client)
    expect(given).toMatchObject([{ userId: user?.id, provider: 'acme', accessToken: expect.any(String) }])
    const token = given[0]?.accessToken ?? ''
    const { rows } = await scratch.pool.query(
      "select table_name from information_schema.tables where table_schema = 'breakwater'",
    )
    for (const { table_name } of rows) {
      const found = await scratch.pool.query(`select from breakwater.${table_name} t where t::text like $1`, [
        `%${token}%`,
      ])
      expect(found.rows, table_name).toEqual([])
    }
  })

  it('makes one account of two first sign-ins at once', async () => {
    const { login } = person()
    const clients = [app.createClient(), app.createClient(), app.createClient()]
    const backs: URL[] = []
    for (const client of clients) backs.push(await provider.visit(await begin(client), { login }))
    const replies = await Promise.all(clients.map((client, i) => comeBack(client, backs[i] as URL)))
    expect(replies.map(({ status }) => status)).toEqual([303, 303, 303])
    const ids = await Promise.all(clients.map(async (client) => (await whoIs(client)).user?.id))
    expect(new Set(ids).size).toBe(1)
  })

  it('asks a second factor of an account that has one', async () => {
    const { login } = person()
    const client = app.createClient()
    await signIn(client, { login })
    const options = await client.post('/auth/passkeys/register/options')
    const authenticator = softwareAuthenticator('https://app.example')
    const credential = authenticator.create(options.json as unknown as CreationOptions)
    expect((await client.post('/auth/passkeys/register', { credential })).status).toBe(200)

    const next = app.createClient()
    const reply = await signIn(next, { login }, { returnTo: '/inbox' })
    const to = new URL(reply.headers.get('location') ?? '')
    expect(to.pathname).toBe('/second-factor')
    expect((await next.get('/me')).status).toBe(401)
    const said = new URLSearchParams(to.hash.slice(1))
    expect(said.get('methods')).toBe('passkey recovery-code')
    expect(said.get('returnTo')).toBe('/inbox')
    const challenge = said.get('challenge')
    const asked = await next.post('/auth/passkeys/second-factor/options', { challenge })
    const proof = authenticator.get(asked.json as never)
    const done = await next.post('/auth/passkeys/second-factor', { challenge, credential: proof })
    expect(done).toMatchObject({ status: 200, json: { session: { methods: ['openid', 'passkey'] } } })
  })
})

describe('mail addresses', () => {
  it('never open an account that has another way in, verified or not', async () => {
    const email = 'owner@example.com'
    await app.register(email)
    for (const email_verified of [true, false]) {
      const { login } = person({ email, email_verified })
      const client = app.createClient()
      const reply = await signIn(client, { login })
      expect(reply).toMatchObject(
        email_verified ? { status: 409, json: { code: 'conflict' } } : { status: 403 },
      )
      expect((await whoIs(client)).user).toBeNull()
    }
    const { rows } = await scratch.pool.query(
      'select from breakwater.identities i join breakwater.users u on u.id = i.user_id where u.email = $1',
      [email],
    )
    expect(rows).toEqual([])
  })

  it('open a new account only when the provider has verified them', async () => {
    for (const claims of [{ email_verified: false }, { email: 'not an address' }]) {
      const { login } = person(claims)
      expect(await signIn(app.createClient(), { login })).toMatchObject({
        status: 403,
        json: { code: 'forbidden' },
      })
    }
    provider.accounts.set('nobody', {})
    expect((await signIn(app.createClient(), { login: 'nobody' })).status).toBe(403)
  })

  it('take over an account that nobody confirmed, with nothing of who opened it', async () => {
    const email = 'squatted@example.com'
    await app.createClient().post('/auth/sign-up', { email, password: PASSWORD })
    const mail = (await app.runJobs()).find((m) => m.to === email)
    const { login } = person({ email })
    const client = app.createClient()
    expect((await signIn(client, { login })).status).toBe(303)
    const late = await app.createClient().post('/auth/verify-mail', { token: app.tokenIn(mail) })
    expect(late).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
    const squatter = await app.createClient().post('/auth/sign-in', { email, password: PASSWORD })
    expect(squatter.status).toBe(401)
    expect((await client.get('/me')).status).toBe(200)
  })

  it('give no account where the application lets nobody in by itself', async () => {
    const { issuer, clientId, clientSecret } = provider
    const closed = await start(
      {},
      { providers: [{ id: 'acme', issuer, clientId, clientSecret, signUp: false }] },
    )
    const { login } = person()
    expect(await signIn(closed.createClient(), { login })).toMatchObject({ status: 403 })
  })

  it('are asked of the hook before an account is made', async () => {
    const asked: string[] = []
    const hooked = await start({
      hooks: { before: ({ type, email }) => void asked.push(`${type} ${email}`) },
    })
    const { login, email } = person()
    await signIn(hooked.createClient(), { login })
    expect(asked).toEqual([`signed-up ${email}`, `signed-in ${email}`])
  })
})

describe('what is not believed', () => {
  const changed =
    (how: Parameters<RunningProvider['resign']>[1]): Tamper =>
    ({ id_token, ...rest }) => ({
      ...rest,
      id_token: provider.resign(String(id_token), how),
    })
  const now = () => Math.floor(Date.now() / 1000)

  it('is believed when the test changes nothing but the signature’s bytes', async () => {
    tamper = changed({})
    const { login } = person()
    expect((await signIn(app.createClient(), { login })).status).toBe(303)
  })

  it.each<[string, () => Tamper]>([
    ['another nonce', () => changed({ claims: { nonce: 'another one' } })],
    ['no nonce', () => changed({ claims: { nonce: undefined } })],
    ['another issuer', () => changed({ claims: { iss: 'https://evil.example' } })],
    ['another audience', () => changed({ claims: { aud: 'somebody else' } })],
    ['an ID token that has expired', () => changed({ claims: { exp: now() - 120, iat: now() - 600 } })],
    ['an ID token without a signature', () => changed({ header: { alg: 'none' } })],
    ['an ID token of another key', () => changed({ forged: true })],
    ['an ID token signed with the client’s secret', () => changed({ header: { alg: 'HS256' } })],
    ['no subject', () => changed({ claims: { sub: undefined } })],
    [
      'no ID token',
      () =>
        ({ id_token, ...rest }) =>
          rest,
    ],
  ])('is %s', async (_, how) => {
    const { login } = person()
    const client = app.createClient()
    const back = await provider.visit(await begin(client), { login })
    tamper = how()
    const reply = await comeBack(client, back)
    expect(reply).toMatchObject({ status: 401, json: { code: 'invalid-credentials' } })
    expect(client.jar.has('__Host-session')).toBe(false)
    const { rows } = await scratch.pool.query('select from breakwater.identities where subject = $1', [login])
    expect(rows).toEqual([])
  })

  it('is a state that is wrong, missing, or of another browser', async () => {
    const { login } = person()
    const client = app.createClient()
    const back = await provider.visit(await begin(client), { login })
    const stale = { status: 400, json: { code: 'invalid-token' } }
    const stranger = app.createClient()
    expect(await comeBack(stranger, back)).toMatchObject(stale)
    const wrong = new URL(back)
    wrong.searchParams.set('state', 'A'.repeat(43))
    expect(await comeBack(client, wrong)).toMatchObject(stale)
    wrong.searchParams.delete('state')
    expect(await comeBack(client, wrong)).toMatchObject(stale)
    // A cookie moved to another state's name does not open.
    const [name = ''] = [...client.jar.keys()].filter((key) => key.startsWith('__Host-openid-'))
    const forged = new URL(back)
    forged.searchParams.set('state', `B${back.searchParams.get('state')?.slice(1)}`)
    client.jar.set(
      `__Host-openid-${forged.searchParams.get('state')?.slice(0, 12)}`,
      client.jar.get(name) ?? '',
    )
    expect(await comeBack(client, forged)).toMatchObject(stale)
    expect((await comeBack(client, back)).status).toBe(303)
  })

  it('is a code that was used, though cookie and all are sent again', async () => {
    const { login } = person()
    const client = app.createClient()
    const back = await provider.visit(await begin(client), { login })
    const cookies = new Map(client.jar)
    expect((await comeBack(client, back)).status).toBe(303)
    expect(await comeBack(client, back)).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
    const copy = app.createClient()
    for (const [name, value] of cookies) copy.jar.set(name, value)
    expect(await comeBack(copy, back)).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
    expect(copy.jar.has('__Host-session')).toBe(false)
  })

  it('is an answer that was used, even by a provider that takes codes twice', async () => {
    const { login } = person()
    const client = app.createClient()
    const back = await provider.visit(await begin(client), { login })
    const copy = app.createClient()
    for (const [name, value] of client.jar) copy.jar.set(name, value)
    let first: Record<string, unknown> | undefined
    tamper = (tokens) => (first ??= tokens)
    expect((await comeBack(client, back)).status).toBe(303)
    const careless = await start(
      {},
      {
        fetch: async (input, init) => {
          const request = new Request(input as Request, init)
          if (!request.url.endsWith('/token')) return fetch(request)
          return Response.json(first)
        },
      },
    )
    const again = careless.createClient()
    for (const [name, value] of copy.jar) again.jar.set(name, value)
    expect(await comeBack(again, back)).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
  })

  it('is an answer to another provider’s question', async () => {
    const { login } = person()
    const client = app.createClient()
    const back = await provider.visit(await begin(client), { login })
    // Sent to the callback of the other one: the transaction is of the first.
    const mixed = new URL(back.href.replace('/acme/', '/other/'))
    expect(await comeBack(client, mixed)).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
    // With the issuer of another one in it (RFC 9207), the code is not sent anywhere.
    const next = await provider.visit(await begin(client), { login })
    next.searchParams.set('iss', other.issuer)
    const before = provider.state.requests.length
    expect(await comeBack(client, next)).toMatchObject({ status: 401, json: { code: 'invalid-credentials' } })
    expect(provider.state.requests.slice(before)).not.toContain('POST /token')
    const bare = await provider.visit(await begin(client), { login })
    bare.searchParams.delete('iss')
    expect((await comeBack(client, bare)).status).toBe(401)
  })

  it('is a transaction that is too old', async () => {
    const { login } = person()
    const client = app.createClient()
    const back = await provider.visit(await begin(client), { login })
    const real = Date.now
    Date.now = () => real() + 11 * 60_000
    try {
      expect(await comeBack(client, back)).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
    } finally {
      Date.now = real
    }
  })

  it('is an account that was disabled', async () => {
    const { login } = person()
    const client = app.createClient()
    await signIn(client, { login })
    await administration(app.auth).disableUser((await whoIs(client)).user?.id ?? '')
    expect(await signIn(app.createClient(), { login })).toMatchObject({ status: 401 })
  })

  it.each([
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '/..//evil.example',
    'evil',
    '\t//evil.example',
    '',
  ])('is %j as a way back', async (returnTo) => {
    const reply = await app.createClient().post('/auth/openid/acme/start', { returnTo })
    expect(reply).toMatchObject({ status: 422, json: { fields: [{ pointer: '/returnTo' }] } })
  })

  it('is a start that another site makes a browser send', async () => {
    const reply = await app
      .createClient()
      .post('/auth/openid/acme/start', {}, { origin: 'https://evil.example' })
    expect(reply).toMatchObject({ status: 403, json: { code: 'cross-site-request' } })
  })

  it('is a provider that is not configured', async () => {
    expect((await app.createClient().post('/auth/openid/nobody/start', {})).status).toBe(404)
    expect((await app.createClient().get('/auth/openid/nobody/callback?code=1&state=2')).status).toBe(404)
  })
})

describe('when it does not come about', () => {
  it('says that the person called it off', async () => {
    const reply = await signIn(app.createClient(), 'refuse')
    expect(reply).toMatchObject({
      status: 403,
      json: { code: 'forbidden', detail: 'The sign-in was called off.' },
    })
  })

  it('sends the person to a page of the application that can say so', async () => {
    const polite = await start({}, { errorPath: '/sign-in' })
    const reply = await signIn(polite.createClient(), 'refuse')
    expect(reply.status).toBe(303)
    expect(reply.headers.get('location')).toBe('https://app.example/sign-in?error=forbidden&provider=acme')
  })

  it('answers 503 while the provider is down, goes on with what it knows, and heals', async () => {
    const { login } = person()
    const fresh = await start()
    provider.state.down = true
    const client = fresh.createClient()
    const refused = await client.post('/auth/openid/acme/start', {})
    expect(refused).toMatchObject({ status: 503, json: { code: 'dependency-unavailable' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    provider.state.down = false
    const back = await provider.visit(await begin(client), { login })
    provider.state.down = true
    const late = await comeBack(client, back)
    expect(late).toMatchObject({ status: 503, json: { code: 'dependency-unavailable' } })
    // What is known of it is enough to begin.
    await begin(client)
    provider.state.down = false
    expect((await signIn(client, { login })).status).toBe(303)
  })

  it('asks for metadata and keys once, however many sign in', async () => {
    const fresh = await start()
    provider.state.requests.length = 0
    for (let i = 0; i < 3; i++)
      expect((await signIn(fresh.createClient(), { login: person().login })).status).toBe(303)
    const asked = (path: string) => provider.state.requests.filter((line) => line.endsWith(path)).length
    expect(asked('/.well-known/openid-configuration')).toBe(1)
    expect(asked('/jwks')).toBe(1)
  })

  it('says that it is not set up where the provider does not know this application', async () => {
    const wrong = await start(
      {},
      {
        providers: [
          { id: 'acme', issuer: provider.issuer, clientId: provider.clientId, clientSecret: 'another one' },
        ],
      },
    )
    const errors: unknown[] = []
    wrong.app.onError((error, c) => {
      errors.push(error)
      return c.json({}, 500)
    })
    const { login } = person()
    expect((await signIn(wrong.createClient(), { login })).status).toBe(500)
    expect(errors).toMatchObject([{ code: 'misconfigured', report: true }])
    // Neither code nor secret is in what is reported.
    const { cause } = errors[0] as { cause: Error }
    expect(`${cause.message}${cause.stack}`).not.toMatch(/another one|code=/)
  })
})

describe('adding a provider to an account', () => {
  async function owner(): Promise<{ client: Client; email: string }> {
    const email = `owner-${++count}@example.com`
    await app.register(email)
    return { client: await app.signedIn(email), email }
  }
  const link = async (client: Client, login: string) =>
    comeBack(
      client,
      await provider.visit(await begin(client, { returnTo: '/settings' }, '/auth/openid/acme/link'), {
        login,
      }),
    )

  it('takes whoever is signed in, ends the other sessions, and tells them', async () => {
    const { client, email } = await owner()
    const elsewhere = await app.signedIn(email)
    const { login } = person()
    const reply = await link(client, login)
    expect(reply.headers.get('location')).toBe('https://app.example/settings')
    expect((await client.get('/me')).json['email']).toBe(email)
    expect((await elsewhere.get('/me')).status).toBe(401)
    expect((await app.runJobs()).map((mail) => mail.tag)).toContain('identity-linked')
    const { identities } = (await client.get('/auth/openid/identities')).json as { identities: object[] }
    expect(identities).toMatchObject([{ provider: 'acme', issuer: provider.issuer, lastUsedAt: null }])
    const next = app.createClient()
    expect((await signIn(next, { login })).status).toBe(303)
    expect((await whoIs(next)).user?.email).toBe(email)
    // Once more changes nothing.
    expect((await link(client, login)).status).toBe(303)
    expect((await client.get('/auth/openid/identities')).json['identities']).toHaveLength(1)
  })

  it('asks for a fresh sign-in, and for one at all', async () => {
    expect((await app.createClient().post('/auth/openid/acme/link', {})).status).toBe(401)
    const { client } = await owner()
    await scratch.pool.query("update breakwater.sessions set authenticated_at = now() - interval '1 hour'")
    expect((await client.post('/auth/openid/acme/link', {})).status).toBe(403)
    expect((await client.send('DELETE', '/auth/openid/identities/x')).status).toBe(403)
  })

  it('refuses what opens somebody else’s account', async () => {
    const { login } = person()
    await signIn(app.createClient(), { login })
    const { client } = await owner()
    expect(await link(client, login)).toMatchObject({ status: 409, json: { code: 'conflict' } })
  })

  it('refuses an answer in another session than the one that asked', async () => {
    const [mine, theirs] = [await owner(), await owner()]
    const { login } = person()
    const back = await provider.visit(await begin(mine.client, {}, '/auth/openid/acme/link'), { login })
    for (const [name, value] of mine.client.jar) {
      if (name.startsWith('__Host-openid')) theirs.client.jar.set(name, value)
    }
    expect(await comeBack(theirs.client, back)).toMatchObject({
      status: 400,
      json: { code: 'invalid-token' },
    })
    await mine.client.post('/auth/sign-out')
    expect((await comeBack(mine.client, back)).status).toBe(401)
    const { rows } = await scratch.pool.query('select from breakwater.identities where subject = $1', [login])
    expect(rows).toEqual([])
  })

  it('is undone, but never of the last way in', async () => {
    const { client } = await owner()
    const { login } = person()
    await link(client, login)
    const path = async (who: Client) => {
      const { identities } = (await who.get('/auth/openid/identities')).json as {
        identities: { id: string }[]
      }
      return `/auth/openid/identities/${identities[0]?.id}`
    }
    const stranger = await owner()
    expect((await stranger.client.send('DELETE', await path(client))).status).toBe(404)
    await app.runJobs()
    expect((await client.send('DELETE', await path(client))).status).toBe(200)
    expect((await client.get('/auth/openid/identities')).json['identities']).toEqual([])
    expect((await client.get('/me')).status).toBe(200)
    expect((await app.runJobs()).map((mail) => mail.tag)).toContain('identity-unlinked')

    const alone = app.createClient()
    await signIn(alone, { login: person().login })
    expect(await alone.send('DELETE', await path(alone))).toMatchObject({
      status: 409,
      json: { code: 'conflict' },
    })
    const options = await alone.post('/auth/passkeys/register/options')
    const credential = softwareAuthenticator('https://app.example').create(
      options.json as unknown as CreationOptions,
    )
    await alone.post('/auth/passkeys/register', { credential })
    expect((await alone.send('DELETE', await path(alone))).status).toBe(200)
  })
})

describe('openidRoutes', () => {
  it('says which providers there are, without what is secret', async () => {
    const reply = await app.createClient().get('/auth/openid')
    expect(reply.json).toEqual({
      providers: [
        { id: 'acme', name: 'Acme Accounts' },
        { id: 'other', name: 'other' },
      ],
    })
  })

  const good = { id: 'a', issuer: 'https://a.example', clientId: 'c', clientSecret: 's' }
  it.each<[string, Partial<OpenIdOptions>]>([
    ['an issuer without https', { providers: [{ ...good, issuer: 'http://a.example' }] }],
    ['an issuer that is no URL', { providers: [{ ...good, issuer: 'a.example' }] }],
    ['an id that cannot be in a path', { providers: [{ ...good, id: 'A/b' }] }],
    ['an id that is a path of ours', { providers: [{ ...good, id: 'identities' }] }],
    ['two of one id', { providers: [good, good] }],
    ['a scope without openid', { providers: [{ ...good, scope: 'email' }] }],
    ['an empty secret', { providers: [{ ...good, clientSecret: '' }] }],
    ['a path elsewhere', { errorPath: 'https://evil.example' }],
  ])('refuses %s when it is built', (_, options) => {
    expect(() => openidRoutes(app.auth, { providers: [good], ...options })).toThrow(TypeError)
  })

  it('gives hc the types of its endpoints', () => {
    const routes = openidRoutes(app.auth, { providers: [good] })
    const client = hc<typeof routes>('https://app.example/auth/openid')
    type Url = Awaited<ReturnType<Awaited<ReturnType<(typeof client)[':id']['start']['$post']>>['json']>>
    const to = ({ url }: Url): string => url
    expect(to({ url: 'x' })).toBe('x')
  })
})
