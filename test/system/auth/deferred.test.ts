import { Redis } from '@upstash/redis'
import { guard } from 'breakwater'
import {
  type AuthEnv,
  authRoutes,
  createAuth,
  deferSession,
  redisRevocations,
  requireUser,
  scrypt,
} from 'breakwater/auth'
import { problems, requestContext } from 'breakwater/core'
import { createLimiter, deferLimit, rateLimit, upstash as store } from 'breakwater/rate-limit'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type StandIn, serveStandIn } from '../../../src/local/server.ts'
import { createUpstashApp } from '../../../src/local/upstash/index.ts'
import { Browser } from '../../conformance/asvs/browser.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { createApplication, OTHER_PASSWORD, PASSWORD, SECRET } from './support.ts'

let scratch: ScratchDatabase
let upstash: StandIn
let server: StandIn
let register: (email: string) => Promise<void>
let email: string
let count = 0
const background: Promise<unknown>[] = []

/** An application as the reference app is put together: a guard, and account routes that ask by themselves. */
function application(redis: Redis) {
  const limiter = createLimiter({
    store: store(redis),
    timeout: 5000,
    policies: { default: { quota: 30, window: '1 h', algorithm: 'token-bucket' } },
  })
  const auth = createAuth({
    db: scratch.db,
    secrets: [SECRET],
    app: { name: 'Acme', origin: 'https://app.example' },
    limiter,
    mailer: { send: async () => ({ id: '1' }) },
    hasher: scrypt({ logN: 4 }),
    cache: { revocations: redisRevocations(redis) },
    clientAddress: (c) => c.req.header('cf-connecting-ip'),
  })
  const app = new Hono<AuthEnv>()
    .use(requestContext())
    .use('/auth/*', deferSession())
    .use(guard({ limits: rateLimit({ limiter }), auth }))
    .use('/auth/sign-in', deferLimit())
    .use('/auth/password/*', deferLimit())
    .use('/auth/sign-out', deferLimit())
    .use('/auth/sign-out-everywhere', deferLimit())
    .on('DELETE', '/auth/sessions/:id', deferLimit())
    .route('/auth', authRoutes(auth))
    .get('/me', requireUser(), (c) => c.json(c.var.user))
  return problems(app as never) as unknown as Hono
}

beforeAll(async () => {
  scratch = await scratchDatabase()
  upstash = await serveStandIn(createUpstashApp({ token: 'token' }))
  const redis = new Redis({ url: upstash.url, token: 'token', retry: false, enableTelemetry: false })
  ;({ register } = await createApplication(scratch))
  const app = application(redis)
  const context = {
    waitUntil: (promise: Promise<unknown>) => void background.push(promise.catch(() => {})),
    passThroughOnException() {},
    props: {},
  }
  server = await serveStandIn({
    name: 'app',
    async fetch(request) {
      // What the server hands over is no Request of the platform's own.
      const { url, method, headers } = request
      const body = method === 'GET' ? undefined : await request.arrayBuffer()
      const own = new Request(url, { method, headers, ...(body !== undefined && { body }) })
      return app.fetch(own, {}, context as never)
    },
  })
})
afterAll(async () => {
  await settle()
  await Promise.all([server.stop(), upstash.stop()])
})
beforeEach(async () => {
  email = `deferred${++count}@example.com`
  await register(email)
})

async function settle(): Promise<void> {
  while (background.length > 0) await Promise.all(background.splice(0))
}

async function signedIn(password = PASSWORD): Promise<Browser> {
  const browser = new Browser(server.url)
  const reply = await browser.send('POST', '/auth/sign-in', { email, password })
  if (reply.status !== 200) throw new Error(`Signing in was answered ${reply.status}: ${reply.text}`)
  await settle()
  return browser
}

const total = async (standIn: StandIn) =>
  ((await (await fetch(`${standIn.url}/__breakwater/stats`)).json()) as { total: number }).total

/** Status and round trips of a request, what comes after the reply not counted. */
async function trips(work: () => Promise<{ readonly status: number }>) {
  await settle()
  const before = [await total(scratch.standIn), await total(upstash)] as const
  const { status } = await work()
  const after = [await total(scratch.standIn), await total(upstash)] as const
  await settle()
  return { status, postgres: after[0] - before[0], redis: after[1] - before[1] }
}

const sessions = async (browser: Browser) =>
  ((await browser.send('GET', '/auth/sessions')).json as { sessions: { id: string; current: boolean }[] })
    .sessions

describe('behind a guard that leaves account routes to themselves', () => {
  it('limits, mark and all take one round trip to Redis where sessions end', async () => {
    const first = await signedIn()
    // The limiter's script is there from now on.
    const phone = await signedIn()
    const other = (await sessions(first)).find(({ current }) => !current)?.id
    expect(await trips(() => first.send('DELETE', `/auth/sessions/${other}`))).toEqual({
      status: 204,
      postgres: 1,
      redis: 1,
    })
    expect((await phone.send('GET', '/me')).status).toBe(401)
    const everywhere = await signedIn()
    expect(await trips(() => everywhere.send('POST', '/auth/sign-out-everywhere'))).toEqual({
      status: 200,
      postgres: 1,
      redis: 1,
    })
    expect((await first.send('GET', '/me')).status).toBe(401)
    const body = { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD }
    const copy = everywhere.stolen()
    expect(await trips(() => everywhere.send('POST', '/auth/password/change', body))).toEqual({
      status: 200,
      postgres: 2,
      redis: 1,
    })
    expect((await copy.send('GET', '/me')).status).toBe(401)
    const copyOfLast = everywhere.stolen()
    expect(await trips(() => everywhere.send('POST', '/auth/sign-out'))).toEqual({
      status: 204,
      postgres: 1,
      redis: 1,
    })
    expect((await copyOfLast.send('GET', '/me')).status).toBe(401)
    const again = new Browser(server.url)
    const signIn = () => again.send('POST', '/auth/sign-in', { email, password: OTHER_PASSWORD })
    expect(await trips(signIn)).toEqual({ status: 200, postgres: 2, redis: 1 })
  })

  it('a session that has ended can end no other, however fresh its signed cookie is', async () => {
    const [owner, thief] = [await signedIn(), await signedIn()]
    const stolen = (await sessions(owner)).find(({ current }) => !current)?.id
    const own = (await sessions(owner)).find(({ current }) => current)?.id
    expect((await owner.send('DELETE', `/auth/sessions/${stolen}`)).status).toBe(204)
    expect((await thief.send('DELETE', `/auth/sessions/${own}`)).status).toBe(401)
    expect((await thief.send('POST', '/auth/sign-out-everywhere')).status).toBe(401)
    const body = { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD }
    expect((await thief.send('POST', '/auth/password/change', body)).status).toBe(401)
    expect((await owner.send('GET', '/me')).status).toBe(200)
    expect(await sessions(owner)).toHaveLength(1)
  })

  it('nothing is done for who is refused by the limits, and nobody is let in by a forged cookie', async () => {
    const owner = await signedIn()
    const forger = owner.stolen()
    const cache = forger.cookies.get('__Host-session-cache') ?? ''
    forger.cookies.set('__Host-session-cache', `${cache.slice(0, -2)}AA`)
    forger.cookies.set('__Host-session', 'A'.repeat(64))
    expect((await forger.send('POST', '/auth/sign-out-everywhere')).status).toBe(401)
    expect((await forger.send('POST', '/auth/sign-out')).status).toBe(204)
    expect((await owner.send('GET', '/me')).status).toBe(200)
    let status = 200
    for (let i = 0; i < 60 && status !== 429; i++) status = (await owner.send('GET', '/me')).status
    expect(status).toBe(429)
    const other = owner.stolen()
    expect((await owner.send('POST', '/auth/sign-out')).status).toBe(429)
    expect((await other.send('GET', '/me')).status).toBe(200)
  })

  it('a session that is not fresh ends no other', async () => {
    const owner = await signedIn()
    await scratch.pool.query(
      `update breakwater.sessions set authenticated_at = now() - interval '16 minutes'`,
    )
    owner.cookies.delete('__Host-session-cache')
    for (const path of ['/auth/sign-out-everywhere', '/auth/account/close']) {
      const reply = await owner.send('POST', path)
      expect([reply.status, reply.json['code']]).toEqual([403, 'fresh-authentication-required'])
    }
  })

  it('a session that is replaced by the next sign-in is refused before that is answered', async () => {
    const owner = await signedIn()
    const thief = owner.stolen()
    expect((await thief.send('GET', '/me')).status).toBe(200)
    expect((await owner.send('POST', '/auth/sign-in', { email, password: PASSWORD })).status).toBe(200)
    expect((await thief.send('GET', '/me')).status).toBe(401)
    expect((await owner.send('GET', '/me')).status).toBe(200)
  })
})
