import {
  type AuthEnv,
  type AuthOptions,
  authRoutes,
  createAuth,
  requireFresh,
  requireUser,
  type Session,
  session,
  type User,
} from 'breakwater/auth'
import type { Database } from 'breakwater/db'
import type { SQL } from 'drizzle-orm'
import { Hono } from 'hono'
import { hc } from 'hono/client'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { AuthDatabase } from '../../../src/auth/database.ts'
import { defaultMails, escapeHtml } from '../../../src/auth/mails.ts'

const nobody: AuthDatabase = {
  execute: async (_: SQL) => ({ rows: [] }),
  transaction: async (work) => work(nobody),
}
const options: AuthOptions = {
  db: nobody,
  secrets: ['s'.repeat(32)],
  app: { name: 'Acme', origin: 'https://app.example' },
  limiter: 'none',
  mailer: { send: async () => ({ id: '1' }) },
}

describe('wrong options are refused when the application is built', () => {
  it.each<[string, Partial<AuthOptions>]>([
    ['a short secret', { secrets: ['short'] }],
    ['a short older secret', { secrets: ['s'.repeat(32), 'short'] }],
    ['no origin', { app: { name: 'Acme', origin: 'app.example' } }],
    ['an origin that is no web address', { app: { name: 'Acme', origin: 'ftp://app.example' } }],
    ['no name', { app: { name: ' ', origin: 'https://app.example' } }],
    ['a path with a fragment', { app: { ...options.app, resetPath: '/reset#' } }],
    ['a cookie without the prefix', { cookieName: 'session' }],
    ['short passwords', { minPasswordLength: 7 }],
    ['an absolute end before the idle one', { sessions: { idle: '2 d', absolute: '1 d' } }],
    ['an endless session', { sessions: { absolute: '400 d' } }],
    ['no sessions', { sessions: { perUser: 0 } }],
    ['a short pepper', { peppers: ['short'] }],
    ['access tokens for a day', { tokens: { access: '24 h' } }],
    ['an endless grace', { tokens: { grace: '1 h' } }],
    ['another origin that is no web address', { tokens: { origins: ['app'] } }],
    ['a stale cache', { cache: { staleness: '5 m' } }],
  ])('%s', (_, wrong) => {
    expect(() => createAuth({ ...options, ...wrong })).toThrow(TypeError)
  })

  it('no limiter at all', () => {
    const { limiter: _, ...without } = options
    expect(() => createAuth(without as AuthOptions)).toThrow('limiter')
  })

  it('a fresh window of nothing', () => {
    expect(() => requireFresh({ within: 0 })).toThrow(TypeError)
  })
})

it('types who is asking, and never as any', () => {
  const auth = createAuth(options)
  const app = new Hono<AuthEnv>()
    .use(session(auth))
    .get('/maybe', (c) => {
      expectTypeOf(c.var.user).toEqualTypeOf<User | undefined>()
      expectTypeOf(c.var.session).not.toBeAny()
      return c.json({ email: c.var.user?.email ?? null })
    })
    .get('/me', requireUser(), (c) => {
      expectTypeOf(c.var.user).toEqualTypeOf<User>()
      expectTypeOf(c.var.session).toEqualTypeOf<Session>()
      return c.json(c.var.user)
    })
    .post('/danger', requireFresh({ within: '5 m' }), (c) => c.json({ id: c.var.session.id }))
    .route('/auth', authRoutes(auth))
  const client = hc<typeof app>('https://app.example')
  expectTypeOf(client.auth['sign-in'].$post).parameter(0).toEqualTypeOf<{
    json: { email: string; password: string; transport?: 'cookie' | 'token' | undefined }
  }>()
  type Reply = Awaited<ReturnType<(typeof client.auth)['sign-in']['$post']>>
  type SignIn = Awaited<ReturnType<Extract<Reply, { status: 200 }>['json']>>
  type Second = Awaited<ReturnType<Extract<Reply, { status: 202 }>['json']>>
  expectTypeOf<Second['status']>().toEqualTypeOf<'mfa-required'>()
  expectTypeOf<SignIn>().not.toBeAny()
  expectTypeOf<SignIn['user']['email']>().toEqualTypeOf<string>()
  expectTypeOf(client.auth.sessions[':id'].$delete).parameter(0).toEqualTypeOf<{ param: { id: string } }>()
  expectTypeOf<Database>().toExtend<AuthDatabase>()
})

it('asks nothing about a request without a session cookie', async () => {
  let asked = 0
  const db: AuthDatabase = {
    ...nobody,
    execute: async () => {
      asked++
      return { rows: [] }
    },
  }
  const app = new Hono<AuthEnv>().use(session(createAuth({ ...options, db }))).get('/', (c) => c.json(c.var))
  expect((await app.request('/')).status).toBe(200)
  expect((await app.request('/', { headers: { cookie: '__Host-session=nonsense' } })).status).toBe(200)
  expect(asked).toBe(0)
  await app.request('/', { headers: { cookie: `__Host-session=${'A'.repeat(64)}` } })
  expect(asked).toBe(1)
})

it('writes mails in which nothing that comes from outside is markup', () => {
  for (const template of Object.values(defaultMails)) {
    const mail = template({
      app: '<b>&"Acme',
      origin: 'https://a.example',
      link: 'https://a.example/#x"y',
      minutes: 30,
      device: '<b>x',
    })
    expect(mail.html).not.toContain('<b>')
    expect(mail.html).toContain(escapeHtml('<b>&"Acme'))
    expect(mail.html).not.toContain('x"y')
    expect(mail.text).toContain('<b>&"Acme')
    expect(mail.text).toContain('https://a.example')
  }
})
