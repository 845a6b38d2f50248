import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type AfterEvent,
  type AuthEnv,
  pwnedPasswords,
  requireCan,
  requireRole,
  session,
} from 'breakwater/auth'
import { administration } from 'breakwater/auth/administration'
import { BreakwaterError, isBreakwaterError } from 'breakwater/core'
import { Hono } from 'hono'
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
beforeEach(async () => {
  email = `holder${++count}@example.com`
  await app.register(email)
})

describe('changing the mail address', () => {
  it('verifies the new one, tells the old one twice, ends every session, and works once', async () => {
    const [client, other] = [await app.signedIn(email), await app.signedIn(email)]
    const fresh = `new-${email}`
    expect((await client.post('/auth/mail/change', { email: fresh })).status).toBe(202)
    const mails = await app.runJobs()
    expect(mails.map((m) => [m.to, m.tag]).sort()).toEqual([
      [email, 'mail-change-requested'],
      [fresh, 'change-mail'],
    ])
    expect((await client.get('/me')).json).toMatchObject({ email })
    const token = app.tokenIn(mails.find((m) => m.to === fresh))
    const statuses = await Promise.all(
      [1, 2, 3, 4].map(async () => (await app.createClient().post('/auth/mail/confirm', { token })).status),
    )
    expect(statuses.sort()).toEqual([200, 400, 400, 400])
    for (const ended of [client, other]) expect((await ended.get('/me')).status).toBe(401)
    expect((await app.runJobs()).map((m) => [m.to, m.tag])).toEqual([[email, 'mail-changed']])
    expect((await app.createClient().post('/auth/sign-in', { email, password: PASSWORD })).status).toBe(401)
    await app.signedIn(fresh)
  })

  it('says the same when the new address has an account, and tells that account’s owner', async () => {
    const taken = `taken-${email}`
    await app.register(taken)
    const client = await app.signedIn(email)
    expect((await client.post('/auth/mail/change', { email: taken })).status).toBe(202)
    const mails = await app.runJobs()
    expect(mails.find((m) => m.to === taken)).toMatchObject({ tag: 'account-exists' })
  })

  it('does not take an address that somebody else took meanwhile', async () => {
    const wanted = `wanted-${email}`
    const client = await app.signedIn(email)
    await client.post('/auth/mail/change', { email: wanted })
    const token = app.tokenIn((await app.runJobs()).find((m) => m.tag === 'change-mail'))
    await app.register(wanted)
    expect((await client.post('/auth/mail/confirm', { token })).status).toBe(400)
    expect((await client.get('/me')).json).toMatchObject({ email })
  })

  it('is stopped by a changed password', async () => {
    const client = await app.signedIn(email)
    await client.post('/auth/mail/change', { email: `thief-${email}` })
    const token = app.tokenIn((await app.runJobs()).find((m) => m.tag === 'change-mail'))
    const owner = await app.signedIn(email)
    await owner.post('/auth/password/change', { currentPassword: PASSWORD, newPassword: OTHER_PASSWORD })
    expect((await client.post('/auth/mail/confirm', { token })).status).toBe(400)
  })
})

it('closes an account: nothing of it works any more, and the record stays', async () => {
  const [client, other] = [await app.signedIn(email), await app.signedIn(email)]
  expect((await client.post('/auth/account/close')).status).toBe(204)
  for (const ended of [client, other]) expect((await ended.get('/me')).status).toBe(401)
  expect((await client.post('/auth/sign-in', { email, password: PASSWORD })).status).toBe(401)
  const { rows } = await scratch.pool.query(
    `select type from breakwater.auth_events where type = 'account-closed'`,
  )
  expect(rows).toHaveLength(1)
  await app.settle()
  const jobs = await scratch.pool.query('select input::text as input from mail_jobs')
  expect(jobs.rows.map(({ input }) => input).join()).not.toContain(email)
  const told = (await app.runJobs()).filter(({ tag }) => tag === 'account-closed')
  expect(told).toEqual([expect.objectContaining({ to: email, subject: 'Your account with Acme was closed' })])
  await app.register(email)
})

it('asks for a fresh sign-in before an account is closed or its address changed', async () => {
  const client = await app.signedIn(email)
  await scratch.pool.query(`update breakwater.sessions set authenticated_at = now() - interval '16 minutes'`)
  for (const [path, body] of [
    ['/auth/account/close', undefined],
    ['/auth/mail/change', { email: `late-${email}` }],
    ['/auth/second-factor/totp/enrol', undefined],
    ['/auth/second-factor/totp/remove', { code: '123456' }],
    ['/auth/second-factor/recovery-codes', { code: '123456' }],
  ] as const) {
    expect((await client.post(path, body)).json, path).toMatchObject({
      code: 'fresh-authentication-required',
    })
  }
})

it('tells of a sign-in on a new device, and not of one on a known device', async () => {
  const client = await app.signedIn(email)
  expect(await app.runJobs()).toEqual([])
  await app.createClient().post('/auth/sign-in', { email, password: PASSWORD })
  const [mail, ...more] = await app.runJobs()
  expect(mail).toMatchObject({ to: email, tag: 'new-device' })
  expect(mail?.text).toContain('Firefox on Linux')
  expect(more).toEqual([])
  await client.post('/auth/sign-in', { email, password: PASSWORD })
  expect(await app.runJobs()).toEqual([])
})

it('gives roles that work at once, and asks the application what they may do', async () => {
  const guarded = await createApplication(scratch, {
    can: ({ user }, action, resource) =>
      user.roles.includes('editor') && action === 'edit' && resource === '7',
  })
  const client = await guarded.createClient()
  const { json } = await client.post('/auth/sign-in', { email, password: PASSWORD })
  const routes = new Hono<AuthEnv>()
    .use(session(guarded.auth))
    .get('/editors', requireRole('admin', 'editor'), (c) => c.text('yes'))
    .get(
      '/edit/:id',
      requireCan(guarded.auth, 'edit', (c) => c.req.param('id')),
      (c) => c.text('yes'),
    )
    .onError((error, c) => {
      if (!isBreakwaterError(error)) throw error
      return c.text(error.code, error.status)
    })
  const ask = async (path: string, cookie = `__Host-session=${client.jar.get('__Host-session')}`) =>
    (await routes.request(path, { headers: { cookie } })).status
  expect(await ask('/editors', '')).toBe(401)
  expect([await ask('/editors'), await ask('/edit/7')]).toEqual([403, 403])
  const { user } = json as { user: { id: string } }
  expect(await administration(guarded.auth).setRoles(user.id, ['editor'])).toBe(true)
  expect([await ask('/editors'), await ask('/edit/7'), await ask('/edit/8')]).toEqual([200, 200, 403])
  await expect(administration(guarded.auth).setRoles(user.id, ['two words'])).rejects.toThrow(TypeError)
})

it('lets an application refuse a sign-in, and hear of what happened', async () => {
  const heard: AfterEvent[] = []
  let open = false
  const hooked = await createApplication(scratch, {
    hooks: {
      before({ type }) {
        if (type === 'signed-in' && !open) throw new BreakwaterError('forbidden', { status: 403 })
      },
      after: (event) => void heard.push(event),
    },
  })
  const client = hooked.createClient()
  expect((await client.post('/auth/sign-in', { email, password: PASSWORD })).status).toBe(403)
  expect((await client.get('/me')).status).toBe(401)
  open = true
  await client.post('/auth/sign-in', { email, password: PASSWORD })
  await client.post('/auth/sign-in', { email, password: OTHER_PASSWORD })
  await hooked.settle()
  expect(heard.map(({ type }) => type)).toEqual(['signed-in', 'sign-in-failed'])
  expect(JSON.stringify(heard)).not.toContain(email)
})

it('refuses a leaked password, and takes it when that cannot be known', async () => {
  let mode: 'leaked' | 'padding' | 'broken' | 'silent' = 'leaked'
  const asked: string[] = []
  // SHA-1 of the password: only its first five digits may go out.
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(OTHER_PASSWORD)))
  const digest = Buffer.from(bytes).toString('hex').toUpperCase()
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    if (mode === 'silent') return
    if (mode === 'broken') response.statusCode = 503
    response.end(`${'0'.repeat(35)}:0\r\n${digest.slice(5)}:${mode === 'padding' ? 0 : 3}\r\n`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/range`
    const careful = await createApplication(scratch, { breached: pwnedPasswords({ endpoint, timeout: 200 }) })
    const signUp = () =>
      careful
        .createClient()
        .post('/auth/sign-up', { email: `leak${++count}@example.com`, password: OTHER_PASSWORD })
    expect(await signUp()).toMatchObject({ status: 422, json: { code: 'weak-password', fault: 'breached' } })
    expect(asked).toEqual([`/range/${digest.slice(0, 5)}`])
    for (mode of ['padding', 'broken', 'silent'] as const) expect((await signUp()).status, mode).toBe(202)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
