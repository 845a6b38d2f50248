import { scrypt } from 'breakwater/auth'
import { administration } from 'breakwater/auth/administration'
import type { LimitRequest } from 'breakwater/core'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { type Application, createApplication, OTHER_PASSWORD, PASSWORD } from './support.ts'

let scratch: ScratchDatabase
let app: Application
let email: string
let count = 0

beforeAll(async () => {
  scratch = await scratchDatabase()
  app = await createApplication(scratch)
})
beforeEach(() => {
  email = `person${++count}@example.com`
})

const value = async (query: string, ...parameters: unknown[]) =>
  Object.values((await scratch.pool.query(query, parameters)).rows[0] ?? {})[0]

describe('signing up', () => {
  it('opens an account that can be signed in to once its address is verified', async () => {
    const client = app.createClient()
    const reply = await client.post('/auth/sign-up', {
      email: ` ${email.toUpperCase()} `,
      password: PASSWORD,
    })
    expect(reply).toMatchObject({ status: 202, json: { status: 'check-your-mail' }, cookies: [] })
    expect((await client.post('/auth/sign-in', { email, password: PASSWORD })).status).toBe(401)

    const [mail, ...more] = await app.runJobs()
    expect(more).toEqual([])
    expect(mail).toMatchObject({ to: email, tag: 'verify-mail' })
    expect(mail?.text).toContain('https://app.example/verify-mail#token=')
    const verified = await client.post('/auth/verify-mail', { token: app.tokenIn(mail) })
    // No session: only that this device is none to warn of when it signs in.
    expect(verified.status).toBe(200)
    expect(verified.cookies).toEqual([expect.stringMatching(/^__Host-device=/)])

    const signedIn = await client.post('/auth/sign-in', { email, password: PASSWORD })
    expect(signedIn).toMatchObject({
      status: 200,
      json: { user: { email }, session: { device: 'Firefox on Linux' } },
    })
    expect(await client.get('/me')).toMatchObject({ status: 200, json: { email } })
  })

  it('answers the same for an address that has an account, and tells its owner', async () => {
    await app.register(email)
    const fresh = await app
      .createClient()
      .post('/auth/sign-up', { email: `new-${email}`, password: PASSWORD })
    const taken = await app.createClient().post('/auth/sign-up', { email, password: OTHER_PASSWORD })
    expect({ ...taken, headers: [...taken.headers] }).toEqual({ ...fresh, headers: [...fresh.headers] })
    const mails = await app.runJobs()
    expect(mails.find((m) => m.to === email)).toMatchObject({ tag: 'account-exists' })
    expect(mails.find((m) => m.to === email)?.text).not.toContain('token=')
    // Nothing has changed for the owner.
    await app.signedIn(email)
    expect((await app.createClient().post('/auth/sign-in', { email, password: OTHER_PASSWORD })).status).toBe(
      401,
    )
  })

  it("lets nobody choose the password that an address's owner then confirms", async () => {
    const [attacker, owner] = [app.createClient(), app.createClient()]
    await attacker.post('/auth/sign-up', { email, password: OTHER_PASSWORD })
    await app.runJobs()
    await owner.post('/auth/sign-up', { email, password: PASSWORD })
    const [mail] = await app.runJobs()
    await attacker.post('/auth/sign-up', { email, password: OTHER_PASSWORD })
    await owner.post('/auth/verify-mail', { token: app.tokenIn(mail) })
    await app.signedIn(email, PASSWORD)
    expect((await attacker.post('/auth/sign-in', { email, password: OTHER_PASSWORD })).status).toBe(401)
    // Nor afterwards, by a link that went out before.
    const [late] = await app.runJobs()
    await owner.post('/auth/verify-mail', { token: app.tokenIn(late) })
    expect((await attacker.post('/auth/sign-in', { email, password: OTHER_PASSWORD })).status).toBe(401)
  })

  it('stores neither password nor token, and puts only ids into the job', async () => {
    await app.createClient().post('/auth/sign-up', { email, password: PASSWORD })
    const { rows } = await scratch.pool.query('select input from mail_jobs')
    expect(rows).toEqual([
      { input: { kind: 'verify-mail', tokenId: expect.stringMatching(/^[0-9a-f-]{36}$/) } },
    ])
    const [mail] = await app.runJobs()
    const token = app.tokenIn(mail)
    for (const table of ['users', 'verification_tokens', 'sessions', 'auth_events']) {
      const all = await scratch.pool.query(
        `select coalesce(jsonb_agg(t), '[]')::text as all from breakwater.${table} t`,
      )
      expect(all.rows[0].all).not.toContain(PASSWORD)
      expect(all.rows[0].all).not.toContain(token)
      expect(all.rows[0].all).not.toContain(token.slice(22))
    }
    expect(await value(`select password_hash from breakwater.users where email = $1`, email)).toBeNull()
  })

  it('records neither account nor token when the job cannot be recorded', async () => {
    const broken = await createApplication(scratch, { enqueue: () => Promise.reject(new TypeError('queue')) })
    await expect(broken.createClient().post('/auth/sign-up', { email, password: PASSWORD })).rejects.toThrow(
      'queue',
    )
    expect(await value('select count(*)::int from breakwater.users where email = $1', email)).toBe(0)
  })

  it('works without a queue', async () => {
    const plain = await createApplication(scratch, { queue: false })
    await plain.createClient().post('/auth/sign-up', { email, password: PASSWORD })
    await plain.settle()
    expect(plain.mails).toMatchObject([{ to: email, tag: 'verify-mail' }])
  })

  it.each([
    ['a common password', { password: 'password123' }, 422, 'weak-password'],
    ['a short password', { password: 'short' }, 422, 'weak-password'],
    ['no address', { email: 'nobody' }, 422, 'validation-failed'],
    ['no password', { password: undefined }, 422, 'validation-failed'],
    ['a password that is no text', { password: { $ne: '' } }, 422, 'validation-failed'],
  ])('refuses %s', async (_, wrong, status, code) => {
    const reply = await app.createClient().post('/auth/sign-up', { email, password: PASSWORD, ...wrong })
    expect(reply).toMatchObject({ status, json: { code } })
    expect(await value('select count(*)::int from breakwater.users where email = $1', email)).toBe(0)
  })
})

describe('a request that is not what it should be', () => {
  it.each([
    [
      'a form',
      'email=a',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'unsupported-media-type',
    ],
    ['text', '{}', { 'content-type': 'text/plain' }, 415, 'unsupported-media-type'],
    ['half a document', '{"email":', {}, 400, 'malformed-json'],
    ['an array', '[]', {}, 422, 'validation-failed'],
    ['a novel', JSON.stringify({ password: 'x'.repeat(20_000) }), {}, 413, 'payload-too-large'],
    ['another origin', '{}', { origin: 'https://evil.example' }, 403, 'cross-site-request'],
    ['another site', '{}', { 'sec-fetch-site': 'cross-site' }, 403, 'cross-site-request'],
    [
      'a sibling host',
      '{}',
      { 'sec-fetch-site': 'same-site', origin: 'https://x.app.example' },
      403,
      'cross-site-request',
    ],
  ])('%s is refused', async (_, body, headers, status, code) => {
    const reply = await app.createClient().post('/auth/sign-in', body, headers)
    expect(reply).toMatchObject({ status, json: { code } })
  })

  it('passes when it comes from our own pages', async () => {
    const headers = { origin: 'https://app.example', 'sec-fetch-site': 'same-origin' }
    expect((await app.createClient().post('/auth/password/forgot', { email }, headers)).status).toBe(202)
  })
})

describe('signing in', () => {
  it('says the same about an unknown account and a wrong password, after the same work', async () => {
    await app.register(email)
    const calls: string[] = []
    const light = scrypt({ logN: 4 })
    const hasher = {
      ...light,
      verify: (encoded: string, password: string) => {
        calls.push(encoded.slice(0, 20))
        return light.verify(encoded, password)
      },
    }
    const counted = await createApplication(scratch, { hasher })
    const requests = async (work: () => Promise<unknown>) => {
      const before = await queries()
      await work()
      await counted.settle()
      return (await queries()) - before
    }
    const wrong = await counted.createClient().post('/auth/sign-in', { email, password: OTHER_PASSWORD })
    const unknown = await counted
      .createClient()
      .post('/auth/sign-in', { email: `not-${email}`, password: OTHER_PASSWORD })
    expect({ ...unknown, headers: [...unknown.headers] }).toEqual({ ...wrong, headers: [...wrong.headers] })
    expect(unknown).toMatchObject({ status: 401, json: { code: 'invalid-credentials' } })
    // Of the same cost, too: the decoy begins with the same parameters.
    expect(calls).toHaveLength(2)
    expect(calls[0]?.split('$')[2]).toBe(calls[1]?.split('$')[2])
    const post = (name: string) => () =>
      counted.createClient().post('/auth/sign-in', { email: name, password: OTHER_PASSWORD })
    await counted.settle()
    expect(await requests(post(email))).toBe(2)
    expect(await requests(post(`not-${email}`))).toBe(2)
  })

  it('sets a cookie that browsers guard', async () => {
    await app.register(email)
    const reply = await app.createClient().post('/auth/sign-in', { email, password: PASSWORD })
    const cookie = reply.cookies.find((line) => line.startsWith('__Host-session='))
    expect(cookie).toMatch(/^__Host-session=[\w-]{64};/)
    for (const attribute of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax', 'Max-Age=2592000']) {
      expect(cookie).toContain(attribute)
    }
    expect(cookie).not.toContain('Domain')
    expect(JSON.stringify(reply.json)).not.toContain(cookie?.slice(15, 79))
    expect(reply.headers.get('cache-control')).toBe('no-store')
  })

  it('makes a new session each time, which replaces the one that asked', async () => {
    await app.register(email)
    const client = await app.signedIn(email)
    const first = client.jar.get('__Host-session') ?? ''
    await client.post('/auth/sign-in', { email, password: PASSWORD })
    expect(client.jar.get('__Host-session')).not.toBe(first)
    const old = app.createClient()
    old.jar.set('__Host-session', first)
    expect((await old.get('/me')).status).toBe(401)
    expect((await client.get('/auth/sessions')).json['sessions']).toHaveLength(1)
  })

  it("ends the session of whoever was signed in on this device before, but not by that session's mere id", async () => {
    await app.register(email)
    await app.register(`second-${email}`)
    const client = await app.signedIn(email)
    const copy = app.createClient()
    copy.jar.set('__Host-session', client.jar.get('__Host-session') ?? '')
    const forger = app.createClient()
    forger.jar.set('__Host-session', `${copy.jar.get('__Host-session')?.slice(0, 22)}${'A'.repeat(42)}`)
    await forger.post('/auth/sign-in', { email: `second-${email}`, password: PASSWORD })
    expect((await copy.get('/me')).status).toBe(200)
    await client.post('/auth/sign-in', { email: `second-${email}`, password: PASSWORD })
    expect((await copy.get('/me')).status).toBe(401)
    expect((await client.get('/me')).json).toMatchObject({ email: `second-${email}` })
  })

  it('verifies the password exactly as typed', async () => {
    const password = ' Crème brûlée, 密码 '
    await app.register(email, password)
    for (const other of [
      password.trim(),
      password.toLowerCase(),
      password.normalize('NFD'),
      `${password} `,
    ]) {
      expect((await app.createClient().post('/auth/sign-in', { email, password: other })).status).toBe(401)
    }
    await app.signedIn(email, password)
  })

  it('raises the cost of an old hash at the next sign-in', async () => {
    await app.register(email)
    const hash = () => value('select password_hash from breakwater.users where email = $1', email)
    expect(await hash()).toContain('$scrypt$ln=4,')
    const costly = await createApplication(scratch, { hasher: scrypt({ logN: 5 }) })
    await costly.signedIn(email)
    await costly.settle()
    expect(await hash()).toContain('$scrypt$ln=5,')
    await costly.signedIn(email)
  })

  it('ends the least recently used session beyond the most a person may have', async () => {
    await app.register(email)
    const few = await createApplication(scratch, { sessions: { perUser: 3 } })
    const clients = []
    for (let i = 0; i < 5; i++) clients.push(await few.signedIn(email))
    const answers = await Promise.all(clients.map(async (client) => (await client.get('/me')).status))
    expect(answers).toEqual([401, 401, 200, 200, 200])
  })

  it('writes down what happened, and to whom, but no password', async () => {
    await app.register(email)
    await app.createClient('2001:db8:1:2:3::4').post('/auth/sign-in', { email, password: OTHER_PASSWORD })
    const client = await app.signedIn(email)
    await client.post('/auth/sign-out')
    await app.settle()
    const { rows } = await scratch.pool.query(
      `select type, address from breakwater.auth_events e join breakwater.users u on u.id = e.user_id
        where u.email = $1 order by e.id`,
      [email],
    )
    expect(rows).toEqual([
      { type: 'signed-up', address: '192.0.2.1' },
      { type: 'mail-verified', address: '192.0.2.1' },
      { type: 'sign-in-failed', address: '2001:db8:1:2::/64' },
      { type: 'signed-in', address: '192.0.2.1' },
      { type: 'signed-out', address: '192.0.2.1' },
    ])
  })

  it('does not throw on a hash that was stored by something else', async () => {
    await app.register(email)
    await scratch.pool.query(`update breakwater.users set password_hash = '$2b$10$x' where email = $1`, [
      email,
    ])
    expect((await app.createClient().post('/auth/sign-in', { email, password: PASSWORD })).status).toBe(401)
  })
})

const queries = async () => {
  const stats = (await (await fetch(`${scratch.endpoint}/__breakwater/stats`)).json()) as { total: number }
  return stats.total
}

describe('brute force', () => {
  /** Ten tries a key, as the real one's policy `credentials`. */
  function limiter(quota: number) {
    const spent = new Map<string, number>()
    const name = ({ policy, key }: LimitRequest) => `${policy} ${key}`
    return {
      spent,
      check: async (requests: readonly LimitRequest[]) => {
        const violated = requests.filter((r) => (spent.get(name(r)) ?? 0) >= quota).map((r) => r.policy)
        if (violated.length === 0) for (const r of requests) spent.set(name(r), (spent.get(name(r)) ?? 0) + 1)
        return { allowed: violated.length === 0, retryAfter: violated.length === 0 ? 0 : 30, violated }
      },
      refund: async (requests: readonly LimitRequest[]) => {
        for (const r of requests) spent.set(name(r), (spent.get(name(r)) ?? 0) - 1)
      },
    }
  }

  it('is stopped at the account, whatever addresses it comes from', async () => {
    await app.register(email)
    const limited = await createApplication(scratch, { limiter: limiter(5) })
    const statuses = []
    for (let i = 0; i < 7; i++) {
      const reply = await limited
        .createClient(`198.51.100.${i}`)
        .post('/auth/sign-in', { email, password: `wrong password ${i}` })
      statuses.push(reply.status)
      if (reply.status === 429) expect(reply.headers.get('retry-after')).toBe('30')
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429])
  })

  it('is stopped at the address, whatever accounts it goes for', async () => {
    const limited = await createApplication(scratch, { limiter: limiter(3) })
    const statuses = []
    for (let i = 0; i < 4; i++) {
      const reply = await limited
        .createClient()
        .post('/auth/sign-in', { email: `victim${i}@example.com`, password: PASSWORD })
      statuses.push(reply.status)
    }
    expect(statuses).toEqual([401, 401, 401, 429])
  })

  it('does not lock the owner out of a device that has signed in before', async () => {
    await app.register(email)
    const limited = await createApplication(scratch, { limiter: limiter(3) })
    const owner = await limited.signedIn(email)
    await owner.post('/auth/sign-out')
    expect(owner.jar.has('__Host-device')).toBe(true)
    for (let i = 0; i < 5; i++) {
      await limited.createClient(`198.51.100.${i}`).post('/auth/sign-in', { email, password: `wrong ${i}` })
    }
    const stranger = await limited
      .createClient('203.0.113.1')
      .post('/auth/sign-in', { email, password: PASSWORD })
    expect(stranger.status).toBe(429)
    expect((await owner.post('/auth/sign-in', { email, password: PASSWORD })).status).toBe(200)
  })

  it('costs nothing when the password is right', async () => {
    await app.register(email)
    const counting = limiter(3)
    const limited = await createApplication(scratch, { limiter: counting })
    for (let i = 0; i < 6; i++) {
      await limited.signedIn(email)
      // Given back when the reply has gone.
      await limited.settle()
    }
    expect([...counting.spent.values()]).toEqual([0, 0])
  })

  it('costs nothing when it is we who fail', async () => {
    await app.register(email)
    const counting = limiter(3)
    const busy = await createApplication(scratch, {
      limiter: counting,
      hasher: { ...scrypt({ logN: 4 }), verify: () => Promise.reject(new RangeError('out of memory')) },
    })
    await expect(busy.createClient().post('/auth/sign-in', { email, password: PASSWORD })).rejects.toThrow()
    await busy.settle()
    expect([...counting.spent.values()]).toEqual([0, 0])
  })

  it('counts what sends mail by its recipient too', async () => {
    const limited = await createApplication(scratch, { limiter: limiter(2) })
    const statuses = []
    for (let i = 0; i < 3; i++) {
      const client = limited.createClient(`198.51.100.${i}`)
      statuses.push((await client.post('/auth/password/forgot', { email })).status)
    }
    expect(statuses).toEqual([202, 202, 429])
  })

  it('says that it is an outage when nothing can be counted', async () => {
    const limited = await createApplication(scratch, {
      limiter: { check: async () => ({ allowed: false, retryAfter: 1, violated: [], unavailable: true }) },
    })
    const reply = await limited.createClient().post('/auth/sign-in', { email, password: PASSWORD })
    expect(reply).toMatchObject({ status: 503, json: { code: 'dependency-unavailable' } })
  })
})

describe('the audit record', () => {
  it('is only ever added to, whoever asks: the database refuses, but for what is old enough to be pruned', async () => {
    const id = '0190c000-0000-7000-8000-00000000000'
    await scratch.pool.query(
      `insert into breakwater.auth_events (id, type, created_at) values
        ('${id}1', 'signed-in', now() - interval '89 days'), ('${id}2', 'signed-in', now() - interval '91 days')`,
    )
    const refused = expect.objectContaining({ code: '42501' })
    const run = (text: string) => scratch.pool.query(`${text} where id::text like '${id}%'`)
    await expect(run(`update breakwater.auth_events set address = null`)).rejects.toEqual(refused)
    await expect(run(`delete from breakwater.auth_events`)).rejects.toEqual(refused)
    await expect(scratch.pool.query('truncate breakwater.auth_events')).rejects.toEqual(refused)
    await expect(
      scratch.pool.query(`delete from breakwater.auth_events where id = '${id}1'`),
    ).rejects.toEqual(refused)
    const { rowCount } = await scratch.pool.query(`delete from breakwater.auth_events where id = '${id}2'`)
    expect(rowCount).toBe(1)
    await expect(administration(app.auth).prune({ eventDays: 30 })).rejects.toThrow(TypeError)
  })
})
