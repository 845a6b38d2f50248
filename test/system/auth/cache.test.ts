import { Redis } from '@upstash/redis'
import { type Revocations, redisRevocations } from 'breakwater/auth'
import { administration } from 'breakwater/auth/administration'
import { createDatabase } from 'breakwater/db'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type StandIn, serveStandIn } from '../../../src/local/server.ts'
import { createUpstashApp } from '../../../src/local/upstash/index.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { type Application, createApplication, OTHER_PASSWORD, PASSWORD, SECRET } from './support.ts'

let scratch: ScratchDatabase
let upstash: StandIn
let redis: Redis
let app: Application
let email: string
let count = 0
let quiet: Application

beforeAll(async () => {
  scratch = await scratchDatabase()
  upstash = await serveStandIn(createUpstashApp({ token: 'token' }))
  redis = new Redis({ url: upstash.url, token: 'token', retry: false, enableTelemetry: false })
  app = await createApplication(scratch, { cache: { revocations: redisRevocations(redis) } })
})
afterAll(() => upstash.stop())
beforeEach(async () => {
  email = `person${++count}@example.com`
  await app.register(email)
})

const total = async (standIn: { url: string }) =>
  ((await (await fetch(`${standIn.url}/__breakwater/stats`)).json()) as { total: number }).total

/** Round trips to both stores that some work makes, what comes after the reply not counted. */
async function roundTrips(work: () => Promise<unknown>) {
  await app.settle()
  const before = [await total(scratch.standIn), await total(upstash)] as const
  await work()
  const after = [await total(scratch.standIn), await total(upstash)] as const
  await app.settle()
  return { postgres: after[0] - before[0], redis: after[1] - before[1] }
}

describe('with a signed cookie and marks in Redis', () => {
  it('knows somebody without asking the database', async () => {
    const client = await app.signedIn(email)
    expect(client.jar.has('__Host-session-cache')).toBe(true)
    expect(await roundTrips(() => client.get('/me'))).toEqual({ postgres: 0, redis: 1 })
    expect((await client.get('/me')).json).toMatchObject({ email })
  })

  it('asks in the same request as whatever else goes to Redis at that moment', async () => {
    const client = await app.signedIn(email)
    const trips = await roundTrips(async () => {
      const limiter = redis.eval('return 1', ['limit'], [])
      const reply = client.get('/me')
      await Promise.all([limiter, reply])
    })
    expect(trips).toEqual({ postgres: 0, redis: 1 })
  })

  it('asks the database when the cookie has aged, and then no more', async () => {
    const client = await app.signedIn(email)
    const real = Date.now
    try {
      Date.now = () => real() + 61_000
      expect(await roundTrips(() => client.get('/me'))).toEqual({ postgres: 1, redis: 0 })
      expect(await roundTrips(() => client.get('/me'))).toEqual({ postgres: 0, redis: 1 })
    } finally {
      Date.now = real
    }
  })

  it.each([
    ['signed out', async (client) => void (await client.post('/auth/sign-out'))],
    [
      'ended from another device',
      async (client) => {
        const { session } = (await client.get('/auth/session')).json as { session: { id: string } }
        await (await app.signedIn(email)).send('DELETE', `/auth/sessions/${session.id}`)
      },
    ],
    [
      'ended from another device with all others',
      async () => void (await (await app.signedIn(email)).post('/auth/sign-out-everywhere')),
    ],
    [
      'ended by a change of password',
      async () => {
        const change = { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD }
        await (await app.signedIn(email)).post('/auth/password/change', change)
      },
    ],
    [
      'ended by a reset',
      async () => {
        await app.createClient().post('/auth/password/forgot', { email })
        const mail = (await app.runJobs()).find((m) => m.tag === 'reset-password')
        await app
          .createClient()
          .post('/auth/password/reset', { token: app.tokenIn(mail), newPassword: OTHER_PASSWORD })
      },
    ],
    [
      'ended by an administrator',
      async (client) => {
        const { user } = (await client.get('/auth/session')).json as { user: { id: string } }
        await app.auth.endSessions(user.id)
      },
    ],
    [
      'disabled',
      async (client) => {
        const { user } = (await client.get('/auth/session')).json as { user: { id: string } }
        await administration(app.auth).disableUser(user.id)
      },
    ],
    [
      'replaced',
      async (client) => {
        await client.post('/auth/sign-in', { email, password: PASSWORD })
        await app.settle()
      },
    ],
  ] satisfies [string, (client: Awaited<ReturnType<Application['signedIn']>>) => Promise<void>][])(
    'turns away at once a copied cookie whose session was %s',
    async (_, end) => {
      const client = await app.signedIn(email)
      const copy = app.createClient()
      for (const [name, value] of client.jar) copy.jar.set(name, value)
      expect((await copy.get('/me')).status).toBe(200)
      await end(client)
      expect((await copy.get('/me')).status).toBe(401)
    },
  )

  it('gives a session no way to live on a cookie that was made just before it ended', async () => {
    const client = await app.signedIn(email)
    const { user, session } = (await client.get('/auth/session')).json as Record<string, { id: string }>
    await app.auth.endSession(user?.id ?? '', session?.id ?? '')
    const real = Date.now
    try {
      // The mark is kept for longer than any cookie that could have been made before it.
      for (const seconds of [30, 59, 61, 119]) {
        Date.now = () => real() + seconds * 1000
        expect((await client.get('/me')).status).toBe(401)
      }
    } finally {
      Date.now = real
    }
    expect(await redis.ttl(`bw:auth:revoked:${user?.id}`)).toBeGreaterThan(100)
  })

  it('believes no cookie beside another session cookie', async () => {
    const client = await app.signedIn(email)
    await app.register(`other-${email}`)
    const other = await app.signedIn(`other-${email}`)
    client.jar.set('__Host-session-cache', other.jar.get('__Host-session-cache') ?? '')
    expect((await client.get('/me')).json).toMatchObject({ email })
    client.jar.delete('__Host-session')
    expect((await client.get('/me')).status).toBe(401)
  })

  it('puts no cookie on a reply that a cache may keep', async () => {
    const client = await app.signedIn(email)
    client.jar.delete('__Host-session-cache')
    expect(await client.get('/public')).toMatchObject({ status: 200, json: { who: email }, cookies: [] })
    expect((await client.get('/me')).cookies).toHaveLength(1)
  })

  it('leaves no cookie of the old session beside, or after, a new one', async () => {
    const client = await app.signedIn(email)
    client.jar.delete('__Host-session-cache')
    await client.post('/auth/sign-in', { email, password: PASSWORD })
    await app.settle()
    expect(await roundTrips(() => client.get('/auth/sessions'))).toMatchObject({ postgres: 2 })
    client.jar.delete('__Host-session-cache')
    await client.post('/auth/sign-out')
    expect([...client.jar.keys()]).toEqual(['__Host-device'])
  })

  it('works for whoever comes with cookies of an older secret', async () => {
    const client = await app.signedIn(email)
    const rotated = await createApplication(scratch, {
      secrets: ['another secret, also long enough.', SECRET],
      cache: { revocations: redisRevocations(redis) },
    })
    const later = rotated.createClient()
    for (const [name, value] of client.jar) later.jar.set(name, value)
    expect(await roundTrips(() => later.get('/me'))).toEqual({ postgres: 0, redis: 1 })
  })
})

describe('in an outage', () => {
  const out = (): Revocations => ({
    marked: () => Promise.reject(new Error('Redis is out')),
    mark: () => Promise.reject(new Error('Redis is out')),
  })

  it('of Redis, the database is asked, and sessions can still be ended', async () => {
    const without = await createApplication(scratch, { cache: { revocations: out() } })
    const [client, other] = [await without.signedIn(email), await without.signedIn(email)]
    await without.settle()
    expect(await roundTrips(() => client.get('/me'))).toEqual({ postgres: 1, redis: 0 })
    expect((await client.post('/auth/sign-out-everywhere')).status).toBe(200)
    expect((await other.get('/me')).status).toBe(401)
  })

  it('of Redis, an administrator is told that the mark is missing, once the session is gone', async () => {
    const without = await createApplication(scratch, { cache: { revocations: out() } })
    const client = await without.signedIn(email)
    const { user } = (await client.get('/auth/session')).json as { user: { id: string } }
    await expect(without.auth.endSessions(user.id)).rejects.toThrow('Redis is out')
    expect((await client.get('/me')).status).toBe(401)
  })

  it('of the database, whoever was seen a moment ago is known, and nobody else can be', async () => {
    const client = await app.signedIn(email)
    const db = createDatabase({ url: scratch.url, endpoint: 'http://127.0.0.1:1', timeout: '500 ms' })
    const cut = await createApplication(scratch, { db, cache: { revocations: redisRevocations(redis) } })
    const known = cut.createClient()
    for (const [name, value] of client.jar) known.jar.set(name, value)
    expect(await known.get('/me')).toMatchObject({ status: 200, json: { email } })
    known.jar.delete('__Host-session-cache')
    expect((await known.get('/me')).status).toBe(503)
    expect((await cut.createClient().get('/me')).status).toBe(401)
  })

  it('of both, nobody is taken at their word', async () => {
    const client = await app.signedIn(email)
    const db = createDatabase({ url: scratch.url, endpoint: 'http://127.0.0.1:1', timeout: '500 ms' })
    const cut = await createApplication(scratch, { db, cache: { revocations: out() } })
    const known = cut.createClient()
    for (const [name, value] of client.jar) known.jar.set(name, value)
    expect(await known.get('/me')).toMatchObject({ status: 503, json: { code: 'dependency-unavailable' } })
  })
})

describe('round trips to Postgres before the answer', () => {
  // Telling somebody comes after the reply, but might be counted before it.
  beforeEach(async () => {
    await app.settle()
    quiet = await createApplication(scratch, {
      cache: { revocations: redisRevocations(redis) },
      enqueue: async () => 'a job',
    })
  })

  it.each([
    ['a request that the cookie answers', 0, (client) => client.get('/me')],
    ['signing in', 2, (client) => client.post('/auth/sign-in', { email, password: PASSWORD })],
    ['signing out', 1, (client) => client.post('/auth/sign-out')],
    ['ending the others', 1, (client) => client.post('/auth/sign-out-everywhere')],
    ['the list', 1, (client) => client.get('/auth/sessions')],
    [
      'changing the password',
      2,
      (client) =>
        client.post('/auth/password/change', { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD }),
    ],
    [
      'changing the password, cold',
      2,
      (client) => {
        client.jar.delete('__Host-session-cache')
        return client.post('/auth/password/change', {
          currentPassword: PASSWORD,
          newPassword: OTHER_PASSWORD,
        })
      },
    ],
  ] satisfies [
    string,
    number,
    (client: Awaited<ReturnType<Application['signedIn']>>) => Promise<{ status: number }>,
  ][])('%s: %i', async (_, budget, work) => {
    const client = await quiet.signedIn(email)
    await quiet.settle()
    let status = 0
    const trips = await roundTrips(async () => {
      status = (await work(client)).status
    })
    expect(status).toBeLessThan(300)
    expect(trips.postgres).toBe(budget)
  })

  it('none, and none to Redis, for as long as the developer said a cookie may be stale', async () => {
    const stale = await createApplication(scratch, { cache: { staleness: '10 s' } })
    const client = await stale.signedIn(email)
    await stale.settle()
    expect(await roundTrips(() => client.get('/me'))).toEqual({ postgres: 0, redis: 0 })
    const real = Date.now
    try {
      Date.now = () => real() + 11_000
      expect(await roundTrips(() => client.get('/me'))).toEqual({ postgres: 1, redis: 0 })
    } finally {
      Date.now = real
    }
  })
})
