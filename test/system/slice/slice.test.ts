import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Local, startLocal } from 'breakwater/local'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, Visitor } from '../support/visitor.ts'

// The reference app whole, on the local stack, over HTTP: what a new user does on the first day.
const state = mkdtempSync(join(tmpdir(), 'breakwater-slice-'))
const picture = readFileSync(join(import.meta.dirname, '../../fixtures/harbour.jpg'))
const email = 'ada@lighthouse.dev'
const password = 'a lamp in every window 7'

let local: Local
let ada: Visitor

interface Mail {
  id: string
  subject: string
  text: string
}

beforeAll(async () => {
  local = await startLocal({ state, crons: false })
  ada = new Visitor(local.worker ?? '')
}, 120_000)

afterAll(async () => {
  await local?.stop()
  rmSync(state, { recursive: true, force: true })
})

const json = async <T>(url: string): Promise<T> => (await fetch(url)).json() as Promise<T>
const ops = () => ({ authorization: `Bearer ${local.vars['OPS_TOKEN']}` })

async function mailTo(address: string, subject: RegExp): Promise<Mail> {
  const list = await eventually(
    () => json<{ messages: Mail[] }>(`${local.mail}/api/messages?to=${encodeURIComponent(address)}`),
    ({ messages }) => messages.some((mail) => subject.test(mail.subject)),
  )
  const found = list.messages.find((mail) => subject.test(mail.subject)) as Mail
  return json<Mail>(`${local.mail}/api/messages/${found.id}`)
}

describe('the reference app on the local stack', () => {
  it('is alive and ready, and tells details only to those who hold the token', async () => {
    expect((await ada.get('/livez')).status).toBe(200)
    const open = await ada.get('/readyz')
    expect(open.status).toBe(200)
    expect(open.headers.get('content-type')).toContain('application/health+json')
    expect(await open.json()).not.toHaveProperty('checks')
    expect(await (await ada.get('/readyz', ops())).json()).toMatchObject({ status: 'pass', checks: {} })
  })

  it('serves its page with the security headers of production', async () => {
    const page = await ada.get('/')
    expect(await page.text()).toContain('<h1>Breakwater</h1>')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  it('signs somebody up and sends a mail by a job', async () => {
    expect((await ada.post('/auth/sign-up', { email, password })).status).toBe(202)
    const mail = await mailTo(email, /confirm|verify/i)
    const token = /#token=([\w.-]+)/.exec(mail.text)?.[1]
    expect(token).toBeTruthy()
    // A scanner that follows the link spends nothing: the token is spent by POST alone.
    expect((await ada.get('/verify-mail')).status).toBe(200)
    expect((await ada.post('/auth/verify-mail', { token })).status).toBe(200)
    expect((await ada.post('/auth/verify-mail', { token })).status).toBe(400)
  })

  it('says the same to somebody whose address is taken', async () => {
    const again = await ada.post('/auth/sign-up', { email, password })
    expect(again.status).toBe(202)
  })

  it('refuses /me to strangers, signs in, and then answers', async () => {
    const refused = await ada.get('/me')
    expect(refused.status).toBe(401)
    expect(refused.headers.get('content-type')).toContain('application/problem+json')
    const signedIn = await ada.post('/auth/sign-in', { email, password })
    expect(signedIn.status).toBe(200)
    expect(signedIn.headers.get('set-cookie')).toMatch(/__Host-session=.*HttpOnly.*Secure/i)
    const me = await ada.get('/me')
    expect(me.status).toBe(200)
    expect(await me.json()).toMatchObject({ email })
    expect(me.headers.get('ratelimit-policy')).toContain('"default"')
    expect(me.headers.get('x-request-id')).toBeTruthy()
  })

  it('asks Redis once and Postgres never for a warm GET /me', async () => {
    await ada.get('/me')
    await Promise.all(
      [local.upstash, local.neon].map((url) => fetch(`${url}/__breakwater/stats`, { method: 'DELETE' })),
    )
    expect((await ada.get('/me')).status).toBe(200)
    const [redis, postgres] = await Promise.all(
      [local.upstash, local.neon].map((url) => json<{ total: number }>(`${url}/__breakwater/stats`)),
    )
    expect({ redis: redis?.total, postgres: postgres?.total }).toEqual({ redis: 1, postgres: 0 })
  })

  it('takes a picture, has a job look at it, and serves it back byte by byte', async () => {
    const received = await ada.fetch('/uploads?kind=image&name=harbour.jpg', {
      method: 'POST',
      body: picture,
      headers: { 'content-type': 'image/jpeg' },
    })
    expect(received.status).toBe(201)
    const { id } = (await received.json()) as { id: string }
    const published = await eventually(
      async () => (await ada.get(`/uploads/${id}/status`)).json() as Promise<Record<string, unknown>>,
      ({ state }) => state === 'published',
    )
    expect(published).toMatchObject({ type: 'image/jpeg', width: 640, height: 427, size: picture.length })

    const download = await ada.get(`/uploads/${id}`)
    expect(download.headers.get('content-type')).toBe('image/jpeg')
    expect(download.headers.get('x-content-type-options')).toBe('nosniff')
    const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
    expect(digest(new Uint8Array(await download.arrayBuffer()))).toBe(digest(picture))

    expect((await new Visitor(local.worker ?? '').get(`/uploads/${id}`)).status).toBe(401)
  })

  it('rejects a page that says it is a picture', async () => {
    const reply = await ada.fetch('/uploads?kind=image&name=x.png', {
      method: 'POST',
      body: '<!doctype html><script>alert(1)</script>',
      headers: { 'content-type': 'image/png' },
    })
    expect(reply.status).toBe(415)
  })

  it('shows an error in the ingest and gives nothing away in production words', async () => {
    const reply = await ada.get('/boom')
    expect(reply.status).toBe(500)
    const id = reply.headers.get('x-request-id')
    // A slow statement, or a limiter that waited, may have made an event of its own.
    const event = await eventually(
      async () => {
        const { events } = await json<{ events: { id: string }[] }>(`${local.sentry}/api/events?type=event`)
        const all = await Promise.all(
          events.map((one) => json<Record<string, unknown>>(`${local.sentry}/api/events/${one.id}`)),
        )
        return all.find((one) => JSON.stringify(one).includes(String(id)))
      },
      (found) => found !== undefined,
    )
    expect(JSON.stringify(event)).toContain('The reference app was asked to fail')
    expect(JSON.stringify(event)).toContain(String(id))
    expect(JSON.stringify(event)).not.toContain(email)
  })

  it('refuses a form that another site sends', async () => {
    const reply = await fetch(`${local.worker}/auth/sign-out`, {
      method: 'POST',
      headers: { cookie: ada.cookie, origin: 'https://evil.dev', 'sec-fetch-site': 'cross-site' },
    })
    expect(reply.status).toBe(403)
    expect((await ada.get('/me')).status).toBe(200)
  })

  it('runs its cron ticks', async () => {
    for (const cron of ['* * * * *', '17 3 * * *']) {
      const tick = await fetch(`${local.worker}/cdn-cgi/handler/scheduled?cron=${encodeURIComponent(cron)}`)
      expect(tick.status, cron).toBe(200)
    }
    const latest = await (await ada.get('/ops/backup/latest', ops())).json()
    expect(latest).toMatchObject({ id: expect.any(String) })
  })

  it('restores last night into an empty database, the same by counts and digests', async () => {
    const admin = new pg.Client({ connectionString: local.postgres })
    await admin.connect()
    await admin.query('create database restored')
    const target = new URL(local.postgres)
    target.pathname = '/restored'
    try {
      const { main } = await import('../../../src/cli/main.ts')
      const code = await main(restoreCommand(local, state, target.href))
      expect(code).toBe(0)
      const restored = new pg.Client({ connectionString: target.href })
      await restored.connect()
      const { rows } = await restored.query('select email from breakwater.users')
      await restored.end()
      expect(rows).toEqual([{ email }])
    } finally {
      await admin.end()
    }
  })

  it('limits guesses at a password, and says when to come back', async () => {
    const stranger = new Visitor(local.worker ?? '')
    const statuses: number[] = []
    let refusal: Response | undefined
    for (let i = 0; i < 12; i++) {
      const reply = await stranger.post('/auth/sign-in', { email, password: `guess number ${i}` })
      statuses.push(reply.status)
      if (reply.status === 429) refusal = reply
    }
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(10)
    expect(Number(refusal?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await refusal?.json()).toMatchObject({ code: 'quota-exceeded' })
  })

  it('signs out, and the session is gone at once', async () => {
    const { cookie } = ada
    expect((await ada.post('/auth/sign-out')).status).toBe(204)
    const reply = await fetch(`${local.worker}/me`, { headers: { cookie } })
    expect(reply.status).toBe(401)
  })
})

function restoreCommand(local: Local, state: string, to: string): string[] {
  process.env['BACKUP_KEY'] = local.vars['BACKUP_KEY']
  return ['backup', 'restore', '--persist', join(state, 'worker', 'v3'), '--to', to]
}
