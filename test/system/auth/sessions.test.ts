import { administration } from 'breakwater/auth/administration'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { type Application, createApplication, OTHER_PASSWORD, PASSWORD, SECRET } from './support.ts'

let scratch: ScratchDatabase
let app: Application
let email: string
let count = 0

beforeAll(async () => {
  scratch = await scratchDatabase()
  app = await createApplication(scratch)
})
beforeEach(async () => {
  email = `person${++count}@example.com`
  await app.register(email)
})

const age = (column: string, ago: string) =>
  scratch.pool.query(
    `update breakwater.sessions set ${column} = now() - $2::interval
      where user_id = (select id from breakwater.users where email = $1)`,
    [email, ago],
  )

describe('sessions', () => {
  it('live side by side, can be seen, and be ended one by one', async () => {
    const [phone, laptop] = [await app.signedIn(email), await app.signedIn(email)]
    const { sessions } = (await laptop.get('/auth/sessions')).json as {
      sessions: { id: string; current: boolean }[]
    }
    expect(sessions.map((s) => s.current)).toEqual([true, false])
    expect(sessions[0]).toMatchObject({ device: 'Firefox on Linux', country: null })
    expect(JSON.stringify(sessions)).not.toContain('hash')
    const other = sessions.find((s) => !s.current)?.id
    expect((await laptop.send('DELETE', `/auth/sessions/${other}`)).status).toBe(204)
    expect((await phone.get('/me')).status).toBe(401)
    expect((await laptop.get('/me')).status).toBe(200)
    expect((await laptop.send('DELETE', `/auth/sessions/${other}`)).status).toBe(404)
    expect((await laptop.send('DELETE', '/auth/sessions/nonsense')).status).toBe(404)
  })

  it("cannot be ended, or seen, by another person's", async () => {
    const victim = await app.signedIn(email)
    const { session } = (await victim.get('/auth/session')).json as { session: { id: string } }
    await app.register(`other-${email}`)
    const other = await app.signedIn(`other-${email}`)
    expect((await other.send('DELETE', `/auth/sessions/${session.id}`)).status).toBe(404)
    expect((await victim.get('/me')).status).toBe(200)
    expect((await other.get('/auth/sessions')).json['sessions']).toHaveLength(1)
  })

  it('end on all other devices at once', async () => {
    const others = [await app.signedIn(email), await app.signedIn(email)]
    const here = await app.signedIn(email)
    expect(await here.post('/auth/sign-out-everywhere')).toMatchObject({ status: 200, json: { ended: 2 } })
    for (const other of others) expect((await other.get('/me')).status).toBe(401)
    expect((await here.get('/me')).status).toBe(200)
  })

  it('end when the person signs out, for whoever copied the cookie too', async () => {
    const client = await app.signedIn(email)
    const copy = app.createClient()
    copy.jar.set('__Host-session', client.jar.get('__Host-session') ?? '')
    const reply = await client.post('/auth/sign-out')
    expect(reply.status).toBe(204)
    expect(client.jar.has('__Host-session')).toBe(false)
    expect((await copy.get('/me')).status).toBe(401)
    expect((await client.post('/auth/sign-out')).status).toBe(204)
  })

  it('end after a week without use, and after a month in any case', async () => {
    const client = await app.signedIn(email)
    await age('last_used_at', '6 days 23 hours')
    expect((await client.get('/me')).status).toBe(200)
    await app.settle()
    // It was used, so it lives on.
    await age('created_at', '8 days')
    expect((await client.get('/me')).status).toBe(200)
    await age('last_used_at', '7 days 1 minute')
    expect((await client.get('/me')).status).toBe(401)

    const busy = await app.signedIn(email)
    await age('expires_at', '1 second')
    expect((await busy.get('/me')).status).toBe(401)
    expect((await busy.get('/auth/session')).json).toEqual({ user: null, session: null })
  })

  it('have their use written down once an hour', async () => {
    const client = await app.signedIn(email)
    const used = async () => {
      await client.get('/me')
      await app.settle()
      const { rows } = await scratch.pool.query(
        `select last_used_at > now() - interval '1 minute' as now, xmin::text from breakwater.sessions
          where user_id = (select id from breakwater.users where email = $1)`,
        [email],
      )
      return rows[0] as { now: boolean; xmin: string }
    }
    const first = await used()
    expect((await used()).xmin).toBe(first.xmin)
    await age('last_used_at', '2 hours')
    expect((await used()).now).toBe(true)
  })

  it('need the secret half of the cookie, not only the id', async () => {
    const client = await app.signedIn(email)
    const token = client.jar.get('__Host-session') ?? ''
    const forged = app.createClient()
    forged.jar.set('__Host-session', token.slice(0, 22) + 'A'.repeat(42))
    expect((await forged.get('/me')).status).toBe(401)
    forged.jar.set('__Host-session', token.slice(0, 22) + 'A'.repeat(42))
    await forged.post('/auth/sign-out')
    expect((await client.get('/me')).status).toBe(200)
  })

  it('end with the account when it is disabled, and it can be signed in to no more', async () => {
    const client = await app.signedIn(email)
    const { user } = (await client.get('/auth/session')).json as { user: { id: string } }
    expect(await administration(app.auth).disableUser(user.id)).toBe(true)
    expect((await client.get('/me')).status).toBe(401)
    expect((await client.post('/auth/sign-in', { email, password: PASSWORD })).status).toBe(401)
    await client.post('/auth/password/forgot', { email })
    expect(await app.runJobs()).toEqual([])
    expect(await administration(app.auth).disableUser('00000000-0000-7000-8000-000000000000')).toBe(false)
    expect(await administration(app.auth).disableUser("'; drop table users")).toBe(false)
  })

  it('can be listed and ended by an administrator', async () => {
    const first = await app.signedIn(email)
    const clients = [first, await app.signedIn(email), await app.signedIn(email)]
    const { user } = (await first.get('/auth/session')).json as { user: { id: string } }
    const [latest] = await app.auth.listSessions(user.id)
    expect(await app.auth.endSession(user.id, latest?.id ?? '')).toBe(true)
    expect(await app.auth.endSessions(user.id)).toBe(2)
    for (const client of clients) expect((await client.get('/me')).status).toBe(401)
  })

  it('must be fresh for what must not be done from a device left open', async () => {
    const client = await app.signedIn(email)
    expect((await client.post('/danger')).status).toBe(200)
    await age('authenticated_at', '16 minutes')
    for (const [method, path] of [
      ['POST', '/danger'],
      ['POST', '/auth/sign-out-everywhere'],
      ['DELETE', '/auth/sessions/00000000-0000-7000-8000-000000000000'],
    ] as const) {
      const reply = await client.send(method, path)
      expect(reply).toMatchObject({
        status: 403,
        json: { code: 'fresh-authentication-required', 'max-age': 900 },
      })
    }
    await client.post('/auth/sign-in', { email, password: PASSWORD })
    expect((await client.post('/danger')).status).toBe(200)
    expect((await app.createClient().post('/danger')).status).toBe(401)
  })

  it('outlive a new secret, and need none of the old ones', async () => {
    const client = await app.signedIn(email)
    const rotated = await createApplication(scratch, {
      secrets: ['another secret, also long enough.', SECRET],
    })
    const later = rotated.createClient()
    later.jar.set('__Host-session', client.jar.get('__Host-session') ?? '')
    expect((await later.get('/me')).status).toBe(200)
  })
})

describe('changing a password', () => {
  it('needs the current one', async () => {
    const client = await app.signedIn(email)
    const wrong = { currentPassword: OTHER_PASSWORD, newPassword: OTHER_PASSWORD }
    expect((await client.post('/auth/password/change', wrong)).json).toMatchObject({
      code: 'invalid-credentials',
    })
    const change = { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD }
    expect((await app.createClient().post('/auth/password/change', change)).status).toBe(401)
    await app.signedIn(email, PASSWORD)
  })

  it('ends every other session, gives this one a successor, and tells the person', async () => {
    const other = await app.signedIn(email)
    const client = await app.signedIn(email)
    const before = app.createClient()
    before.jar.set('__Host-session', client.jar.get('__Host-session') ?? '')
    const reply = await client.post('/auth/password/change', {
      currentPassword: PASSWORD,
      newPassword: OTHER_PASSWORD,
    })
    expect(reply).toMatchObject({ status: 200, json: { user: { email } } })
    expect((await client.get('/me')).status).toBe(200)
    expect((await other.get('/me')).status).toBe(401)
    expect((await before.get('/me')).status).toBe(401)
    expect((await client.get('/auth/sessions')).json['sessions']).toHaveLength(1)
    expect((await app.runJobs()).map((m) => [m.to, m.tag])).toEqual([[email, 'password-changed']])
    expect((await app.createClient().post('/auth/sign-in', { email, password: PASSWORD })).status).toBe(401)
    await app.signedIn(email, OTHER_PASSWORD)
  })

  it('voids a reset link that is on its way', async () => {
    await app.createClient().post('/auth/password/forgot', { email })
    const [mail] = await app.runJobs()
    const client = await app.signedIn(email)
    await client.post('/auth/password/change', { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD })
    const reset = { token: app.tokenIn(mail), newPassword: 'a third fine passphrase' }
    expect((await client.post('/auth/password/reset', reset)).json).toMatchObject({ code: 'invalid-token' })
  })

  it('refuses a weak new one and changes nothing', async () => {
    const [client, other] = [await app.signedIn(email), await app.signedIn(email)]
    const reply = await client.post('/auth/password/change', {
      currentPassword: PASSWORD,
      newPassword: 'sunshine1',
    })
    expect(reply).toMatchObject({ status: 422, json: { code: 'weak-password', fault: 'common' } })
    expect((await other.get('/me')).status).toBe(200)
  })
})

describe('resetting a password', () => {
  it('ends every session, works once, and verifies the address', async () => {
    const client = await app.signedIn(email)
    const asked = await app.createClient().post('/auth/password/forgot', { email })
    const [mail] = await app.runJobs()
    expect(mail?.text).toContain('https://app.example/reset-password#token=')
    const reset = { token: app.tokenIn(mail), newPassword: OTHER_PASSWORD }
    const anyone = app.createClient()
    expect(await anyone.post('/auth/password/reset', reset)).toMatchObject({
      status: 200,
      cookies: expect.any(Array),
    })
    expect((await client.get('/me')).status).toBe(401)
    expect((await anyone.get('/me')).status).toBe(401)
    expect((await anyone.post('/auth/password/reset', reset)).json).toMatchObject({ code: 'invalid-token' })
    await app.signedIn(email, OTHER_PASSWORD)
    expect((await app.runJobs()).map((m) => m.tag)).toEqual(['password-changed'])

    const unknown = await app.createClient().post('/auth/password/forgot', { email: `no-${email}` })
    expect({ ...unknown, headers: [...unknown.headers] }).toEqual({ ...asked, headers: [...asked.headers] })
    expect(await app.runJobs()).toEqual([])
  })

  it('records a job for an unknown address as well, so that asking takes as long', async () => {
    await app.createClient().post('/auth/password/forgot', { email: `no-${email}` })
    const { rows } = await scratch.pool.query('select input from mail_jobs')
    expect(rows).toEqual([{ input: { kind: 'reset-password', tokenId: expect.any(String) } }])
    expect(await app.runJobs()).toEqual([])
  })

  it('does not spend the link on a password that is refused', async () => {
    await app.createClient().post('/auth/password/forgot', { email })
    const [mail] = await app.runJobs()
    const client = app.createClient()
    const token = app.tokenIn(mail)
    const weak = await client.post('/auth/password/reset', {
      token,
      newPassword: email.split('@')[0]?.concat('1'),
    })
    expect(weak).toMatchObject({ status: 422, json: { code: 'weak-password' } })
    expect((await client.post('/auth/password/reset', { token, newPassword: OTHER_PASSWORD })).status).toBe(
      200,
    )
  })

  it('takes no old link, no link for something else, and none that was invented', async () => {
    await app.createClient().post('/auth/password/forgot', { email })
    const [mail] = await app.runJobs()
    const token = app.tokenIn(mail)
    const client = app.createClient()
    await scratch.pool.query(
      `update breakwater.verification_tokens set expires_at = now() - interval '1 second'`,
    )
    for (const bad of [token, `${'A'.repeat(64)}`, 'x', token.slice(0, -1), `${token.slice(0, 60)}AAAA`]) {
      const reply = await client.post('/auth/password/reset', { token: bad, newPassword: OTHER_PASSWORD })
      expect(reply).toMatchObject({ status: 400, json: { code: 'invalid-token' } })
      expect((await client.post('/auth/verify-mail', { token: bad })).status).toBe(400)
    }
  })

  it('works by a link from before a secret was rotated', async () => {
    await app.createClient().post('/auth/password/forgot', { email })
    const rotated = await createApplication(scratch, {
      secrets: ['another secret, also long enough.', SECRET],
    })
    const [mail] = await rotated.runJobs()
    const reset = { token: rotated.tokenIn(mail), newPassword: OTHER_PASSWORD }
    expect((await rotated.createClient().post('/auth/password/reset', reset)).status).toBe(200)
  })
})

it('prunes what is over, and nothing else', async () => {
  while ((await administration(app.auth).prune()) > 0);
  await app.createClient().post('/auth/sign-up', { email: `unconfirmed-${email}`, password: PASSWORD })
  await app.createClient().post('/auth/sign-up', { email: `waiting-${email}`, password: PASSWORD })
  const [live] = [await app.signedIn(email), await app.signedIn(email), await app.signedIn(email)]
  await scratch.pool.query(`
    update breakwater.users set created_at = now() - interval '8 days' where email = 'unconfirmed-${email}';
    update breakwater.verification_tokens set expires_at = now() - interval '1 day'
      where user_id = (select id from breakwater.users where email = 'unconfirmed-${email}');
    with s as (select id, row_number() over (order by created_at desc) as n from breakwater.sessions
      where user_id = (select id from breakwater.users where email = '${email}'))
    update breakwater.sessions t set
      expires_at = case when n = 1 then now() - interval '1 second' else expires_at end,
      last_used_at = case when n = 2 then now() - interval '8 days' else last_used_at end
    from s where s.id = t.id`)
  expect(await administration(app.auth).prune()).toBe(3)
  expect(await administration(app.auth).prune()).toBe(0)
  expect((await live.get('/me')).status).toBe(200)
  const { rows } = await scratch.pool.query(`select email from breakwater.users where email like $1`, [
    `%-${email}`,
  ])
  expect(rows).toEqual([{ email: `waiting-${email}` }])
})
