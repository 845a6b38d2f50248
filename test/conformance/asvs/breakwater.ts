import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { toBase64Url } from '../../../src/core/bytes.ts'
import { hmac } from '../../../src/core/crypto.ts'
import { type Local, startLocal } from '../../../src/local/index.ts'
import type { Adapter, Mail } from './adapter.ts'
import type { Browser } from './browser.ts'

const BREACHED = 'opensesame-forty-thieves'

export function fromBase32(text: string): Uint8Array<ArrayBuffer> {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...text].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('')
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2))
}

/** A stand-in for the range service that knows one leaked password. */
async function startRange(): Promise<{ url: string; stop(): void }> {
  const digest = createHash('sha1').update(BREACHED).digest('hex').toUpperCase()
  const server = createServer((request, response) => {
    const known = request.url === `/range/${digest.slice(0, 5)}`
    response.end(known ? `${'0'.repeat(35)}:0\r\n${digest.slice(5)}:42` : `${'0'.repeat(35)}:0`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/range/`, stop: () => server.close() }
}

/** The reference app in workerd on the local stack. */
export async function startBreakwater(state: string): Promise<{ adapter: Adapter; stop(): Promise<void> }> {
  const range = await startRange()
  const lines: string[] = []
  let local: Local
  try {
    local = await startLocal({
      state,
      crons: false,
      vars: { PWNED_ENDPOINT: range.url },
      onLog: (part, line) => part === 'worker' && lines.push(line),
    })
  } catch (error) {
    range.stop()
    throw error
  }
  const pool = new pg.Pool({ connectionString: local.postgres, max: 2 })
  const adapter = adapterOf(local, pool, lines)
  return {
    adapter,
    async stop() {
      range.stop()
      await pool.end()
      await local.stop()
    },
  }
}

function adapterOf(local: Local, pool: pg.Pool, lines: readonly string[]): Adapter {
  const base = local.worker ?? ''
  const ops = { authorization: `Bearer ${local.vars['OPS_TOKEN']}` }

  async function mails(email: string): Promise<Mail[]> {
    const reply = await fetch(`${local.mail}/api/messages?to=${encodeURIComponent(email)}`)
    return ((await reply.json()) as { messages: Mail[] }).messages
  }

  /** Waits for a mail with a link: mails are jobs. */
  async function token(email: string, subject: RegExp): Promise<string> {
    for (let tries = 0; tries < 300; tries++) {
      const mail = (await mails(email)).find((one) => subject.test(one.subject))
      const found = /#token=([\w-]+)/.exec(mail?.text ?? '')?.[1]
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error(`No mail like ${subject}`)
  }

  const post = (browser: Browser, path: string, body?: unknown) => browser.send('POST', `/auth${path}`, body)

  async function idOf(email: string): Promise<string> {
    const { rows } = await pool.query<{ id: string }>('select id from breakwater.users where email = $1', [
      email,
    ])
    return rows[0]?.id ?? ''
  }

  return {
    name: 'breakwater',
    base,
    cookie: '__Host-session',
    resetMinutes: 10,
    breached: BREACHED,
    documentation: readFileSync(join(import.meta.dirname, '../../../docs/auth.md'), 'utf8'),
    change: { method: 'POST', path: '/auth/sign-out-everywhere' },
    signUp: (browser, email, password) => post(browser, '/sign-up', { email, password }),
    async verify(browser, email) {
      await post(browser, '/verify-mail', { token: await token(email, /confirm/i) })
    },
    signIn: (browser, email, password) => post(browser, '/sign-in', { email, password }),
    signOut: (browser) => post(browser, '/sign-out'),
    signedIn: async (browser) => (await browser.send('GET', '/me')).ok,
    changePassword: (browser, currentPassword, newPassword) =>
      post(browser, '/password/change', { currentPassword, newPassword }),
    forgot: (browser, email) => post(browser, '/password/forgot', { email }),
    resetToken: (email) => token(email, /choose a new/i),
    reset: (browser, token, newPassword) => post(browser, '/password/reset', { token, newPassword }),
    mails,
    sessions: (browser) => browser.send('GET', '/auth/sessions'),
    endOthers: (browser) => post(browser, '/sign-out-everywhere'),
    async enrol(browser) {
      const { json } = await post(browser, '/second-factor/totp/enrol')
      const secret = fromBase32(String(json['secret']))
      const { stepAt, totpCode } = await import('../../../src/auth/totp.ts')
      // Of the step before, so that those of now and next are still to be had.
      const code = await totpCode(secret, stepAt(Date.now()) - 1)
      const done = await post(browser, '/second-factor/totp/confirm', { code })
      return { secret, recovery: done.json['recoveryCodes'] as string[] }
    },
    asksForCode: ({ json }) => json['status'] === 'mfa-required',
    code: (browser, { json }, code) =>
      post(browser, '/sign-in/second-factor', { challenge: json['challenge'], code }),
    recoveryCode: (browser, { json }, code) =>
      post(browser, '/sign-in/second-factor', { challenge: json['challenge'], code }),
    changeMail: (browser, email) => post(browser, '/mail/change', { email }),
    async atRest() {
      const tables = [
        'users',
        'sessions',
        'verification_tokens',
        'totp_factors',
        'recovery_codes',
        'api_keys',
        'jobs',
      ]
      const dumps = await Promise.all(
        tables.map(async (table) =>
          JSON.stringify((await pool.query(`select * from breakwater.${table}`)).rows),
        ),
      )
      return dumps.join('\n')
    },
    logs: () => lines.join('\n'),
    async age(email, what, days) {
      const column = { authenticated: 'authenticated_at', used: 'last_used_at', absolute: 'expires_at' }[what]
      await pool.query(
        `update breakwater.sessions set ${column} = ${column} - make_interval(days => $2)
          where user_id = (select id from breakwater.users where email = $1)`,
        [email, days],
      )
    },
    async disable(email) {
      await fetch(`${base}/ops/users/${await idOf(email)}/disable`, { method: 'POST', headers: ops })
    },
    async endAll(email) {
      await fetch(`${base}/ops/users/${await idOf(email)}/sessions`, { method: 'DELETE', headers: ops })
    },
    async events(email) {
      const reply = await fetch(`${base}/ops/users/${await idOf(email)}/events`, { headers: ops })
      return ((await reply.json()) as { type: string }[]).map(({ type }) => type)
    },
    async expireTokens(email) {
      await pool.query(
        `update breakwater.verification_tokens set expires_at = expires_at - interval '1 day'
          where user_id = (select id from breakwater.users where email = $1)`,
        [email],
      )
    },
    async signAccess(head, audience = local.vars['APP_ORIGIN'] ?? '') {
      const secret = (local.vars['SESSION_SECRET'] ?? '').split(',')[0]?.trim() ?? ''
      return `bwat_${head}.${toBase64Url(await hmac(secret, `breakwater/auth/access/1\n${audience}\n${head}`))}`
    },
    async apiKey(browser) {
      const reply = await browser.send('POST', '/api-keys', { name: 'Robot', scopes: ['profile:read'] })
      return String(reply.json['key'])
    },
    async tamper(email) {
      const passed: string[] = []
      for (const attempt of [
        'update breakwater.auth_events set address = null',
        'delete from breakwater.auth_events',
      ]) {
        // The role that the application has, which also owns the tables.
        const done = await pool
          .query(`${attempt} where user_id = $1`, [await idOf(email)])
          .catch(() => undefined)
        if (done !== undefined) passed.push(attempt)
      }
      return passed
    },
    async accessToken(browser, email, password) {
      const { json } = await post(browser, '/sign-in', { email, password, transport: 'token' })
      return (json['tokens'] as { accessToken: string }).accessToken
    },
  }
}
