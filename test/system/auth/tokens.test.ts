import { beforeAll, beforeEach, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { type Application, createApplication, OTHER_PASSWORD, PASSWORD } from './support.ts'

interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
  readonly expiresIn: number
}

let scratch: ScratchDatabase
let app: Application
let email: string
let count = 0
const marked = new Set<string>()
let asked = 0

beforeAll(async () => {
  scratch = await scratchDatabase()
  app = await createApplication(scratch, {
    tokens: { origins: ['https://native.example'] },
    cache: {
      revocations: {
        marked: async (id) => {
          asked++
          return marked.has(id)
        },
        mark: async (id) => void marked.add(id),
      },
    },
  })
})

beforeEach(async () => {
  email = `native${++count}@example.com`
  marked.clear()
  await app.register(email)
})

async function tokens(password = PASSWORD): Promise<Tokens> {
  const reply = await app.createClient().post('/auth/sign-in', { email, password, transport: 'token' })
  expect(reply.status).toBe(200)
  expect(reply.cookies.some((line) => line.includes('session'))).toBe(false)
  return reply.json['tokens'] as Tokens
}

const me = (accessToken: string) => app.createClient().get('/me', { authorization: `Bearer ${accessToken}` })
const refresh = (refreshToken: string) => app.createClient().post('/auth/token/refresh', { refreshToken })
const next = async (refreshToken: string) => (await refresh(refreshToken)).json['tokens'] as Tokens
const age = (seconds: number) =>
  scratch.pool.query(
    `update breakwater.sessions set refreshed_at = refreshed_at - make_interval(secs => ${seconds})`,
  )

it('signs a native app in, answers its access token without the database, and refreshes in one round trip', async () => {
  const { accessToken, refreshToken, expiresIn } = await tokens()
  expect(expiresIn).toBe(600)
  await app.settle()
  const counts = () =>
    fetch(`${scratch.endpoint}/__breakwater/stats`).then((r) => r.json() as Promise<{ total: number }>)
  await fetch(`${scratch.endpoint}/__breakwater/stats`, { method: 'DELETE' })
  asked = 0
  expect(await me(accessToken)).toMatchObject({ status: 200, json: { email } })
  expect({ postgres: (await counts()).total, redis: asked }).toEqual({ postgres: 0, redis: 1 })
  const reply = await refresh(refreshToken)
  expect(reply).toMatchObject({ status: 200, json: { user: { email }, session: { transport: 'token' } } })
  expect((await counts()).total).toBe(1)
  const fresh = reply.json['tokens'] as Tokens
  expect(fresh.refreshToken).not.toBe(refreshToken)
  expect((await me(fresh.accessToken)).status).toBe(200)
})

it('goes on when the reply to a refresh is lost, and when two tabs refresh at once', async () => {
  const { refreshToken } = await tokens()
  const first = await next(refreshToken)
  const again = await next(refreshToken)
  expect(again.refreshToken).toBe(first.refreshToken)
  expect((await refresh(first.refreshToken)).status).toBe(200)
})

it('gives two hundred refreshes at once with one token the same successor', async () => {
  const { refreshToken } = await tokens()
  const replies = await Promise.all(Array.from({ length: 200 }, () => refresh(refreshToken)))
  expect(new Set(replies.map((r) => r.status))).toEqual(new Set([200]))
  const successors = new Set(replies.map((r) => (r.json['tokens'] as Tokens).refreshToken))
  expect(successors.size).toBe(1)
  const { rows } = await scratch.pool.query(
    'select refresh_counter from breakwater.sessions s join breakwater.users u on u.id = s.user_id where u.email = $1',
    [email],
  )
  expect(rows).toEqual([{ refresh_counter: 1 }])
  expect((await refresh([...successors][0] ?? '')).status).toBe(200)
})

it('ends the session when a token comes back after its successor was used', async () => {
  const { refreshToken, accessToken } = await tokens()
  const second = await next(refreshToken)
  const third = await next(second.refreshToken)
  expect(await refresh(refreshToken)).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
  expect((await refresh(third.refreshToken)).status).toBe(400)
  expect((await me(accessToken)).status).toBe(401)
  expect((await me(third.accessToken)).status).toBe(401)
  const { rows } = await scratch.pool.query(
    `select type from breakwater.auth_events where type = 'refresh-token-reused'`,
  )
  expect(rows).toHaveLength(1)
})

it('forgives a lost reply only within the grace period', async () => {
  const { refreshToken } = await tokens()
  const second = await next(refreshToken)
  await age(31)
  expect((await refresh(refreshToken)).status).toBe(400)
  expect((await refresh(second.refreshToken)).status).toBe(400)
})

it('ends when the password is changed, at once and on every device', async () => {
  const { accessToken, refreshToken } = await tokens()
  const browser = await app.signedIn(email)
  await browser.post('/auth/password/change', { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD })
  expect((await me(accessToken)).status).toBe(401)
  expect((await refresh(refreshToken)).status).toBe(400)
})

it('changes a password by token and gets its successor by token', async () => {
  const { accessToken } = await tokens()
  const reply = await app
    .createClient()
    .post(
      '/auth/password/change',
      { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD },
      { authorization: `Bearer ${accessToken}` },
    )
  expect(reply.status).toBe(200)
  const fresh = reply.json['tokens'] as Tokens
  expect((await me(fresh.accessToken)).status).toBe(200)
  expect((await refresh(fresh.refreshToken)).status).toBe(200)
  expect((await me(accessToken)).status).toBe(401)
})

it('signs out by either token', async () => {
  const first = await tokens()
  expect(
    (
      await app
        .createClient()
        .post('/auth/sign-out', undefined, { authorization: `Bearer ${first.accessToken}` })
    ).status,
  ).toBe(204)
  expect((await me(first.accessToken)).status).toBe(401)
  const second = await tokens()
  expect(
    (await app.createClient().post('/auth/token/revoke', { refreshToken: second.refreshToken })).status,
  ).toBe(204)
  expect((await me(second.accessToken)).status).toBe(401)
  expect((await refresh(second.refreshToken)).status).toBe(400)
  expect((await app.createClient().post('/auth/token/revoke', { refreshToken: 'nonsense' })).status).toBe(204)
})

it('refuses a refresh token cut down to a cookie, an access token as a cookie, and one changed in any part', async () => {
  const { accessToken, refreshToken } = await tokens()
  for (const value of [refreshToken.slice(5, 69), accessToken, refreshToken]) {
    const client = app.createClient()
    client.jar.set('__Host-session', value)
    expect((await client.get('/me')).status).toBe(401)
  }
  expect((await me(refreshToken)).status).toBe(401)
  expect((await me(`${accessToken.slice(0, -2)}AA`)).status).toBe(401)
  expect((await refresh(accessToken)).status).toBe(400)
})

it('ends after its idle time without a refresh', async () => {
  const { refreshToken } = await tokens()
  await scratch.pool.query(`update breakwater.sessions set last_used_at = now() - interval '8 days'`)
  expect((await refresh(refreshToken)).status).toBe(400)
})

it('lets the other origins it was given call, and no others', async () => {
  const { refreshToken } = await tokens()
  const from = (origin: string) =>
    app
      .createClient()
      .post('/auth/token/refresh', { refreshToken }, { origin, 'sec-fetch-site': 'cross-site' })
  expect((await from('https://evil.example')).status).toBe(403)
  expect((await from('https://native.example')).status).toBe(200)
})

it('asks the database at each request where nothing tells of ended sessions', async () => {
  const plain = await createApplication(scratch, { tokens: {} })
  const reply = await plain
    .createClient()
    .post('/auth/sign-in', { email, password: PASSWORD, transport: 'token' })
  const { accessToken } = reply.json['tokens'] as Tokens
  const get = () => plain.createClient().get('/me', { authorization: `Bearer ${accessToken}` })
  expect((await get()).status).toBe(200)
  const { user } = reply.json as unknown as { user: { id: string } }
  await plain.auth.endSessions(user.id)
  expect((await get()).status).toBe(401)
})

it('gives no tokens where the application did not ask for them', async () => {
  const plain = await createApplication(scratch)
  const reply = await plain
    .createClient()
    .post('/auth/sign-in', { email, password: PASSWORD, transport: 'token' })
  expect(reply).toMatchObject({ status: 422, json: { code: 'validation-failed' } })
})
