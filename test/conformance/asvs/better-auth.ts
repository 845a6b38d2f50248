import { join } from 'node:path'
import { serveWorkers } from '../../../bench/support/workerd.ts'
import type { Adapter, Mail } from './adapter.ts'
import { fromBase32 } from './breakwater.ts'
import type { Browser } from './browser.ts'

/** better-auth in workerd, as an application that cares would set it up. */
export async function startBetterAuth(): Promise<{ adapter: Adapter; stop(): Promise<void> }> {
  const entry = join(import.meta.dirname, '../../../bench/conformance/better-auth.ts')
  const served = await serveWorkers([{ name: 'better-auth', entry }])
  return {
    adapter: adapterOf(`http://127.0.0.1:${served.ports['better-auth']}`),
    stop: () => served.stop(),
  }
}

function adapterOf(base: string): Adapter {
  const mails = async (email: string): Promise<Mail[]> =>
    (await fetch(`${base}/__mails?to=${encodeURIComponent(email)}`)).json() as Promise<Mail[]>

  async function token(email: string, kind: string): Promise<string> {
    const mail = (await mails(email)).find(({ text }) => text.startsWith(kind))
    if (mail === undefined) throw new Error(`No mail to ${kind.toLowerCase()}`)
    return mail.text.slice(kind.length).trim()
  }

  const post = (browser: Browser, path: string, body: unknown = {}) =>
    browser.send('POST', `/api/auth${path}`, body)

  return {
    name: 'better-auth',
    base,
    cookie: '__Secure-better-auth.session_token',
    resetMinutes: 60,
    change: { method: 'POST', path: '/api/auth/revoke-other-sessions', body: {} },
    signUp: (browser, email, password) => post(browser, '/sign-up/email', { email, password, name: 'Ann' }),
    async verify(browser, email) {
      await browser.send(
        'GET',
        `/api/auth/verify-email?token=${encodeURIComponent(await token(email, 'Verify:'))}`,
      )
    },
    signIn: (browser, email, password) => post(browser, '/sign-in/email', { email, password }),
    signOut: (browser) => post(browser, '/sign-out'),
    async signedIn(browser) {
      const { json } = await browser.send('GET', '/api/auth/get-session')
      return json['session'] !== undefined && json['session'] !== null
    },
    changePassword: (browser, currentPassword, newPassword) =>
      post(browser, '/change-password', { currentPassword, newPassword }),
    forgot: (browser, email) => post(browser, '/request-password-reset', { email }),
    resetToken: (email) => token(email, 'Reset:'),
    reset: (browser, token, newPassword) => post(browser, '/reset-password', { token, newPassword }),
    mails,
    sessions: (browser) => browser.send('GET', '/api/auth/list-sessions'),
    endOthers: (browser) => post(browser, '/revoke-other-sessions'),
    async enrol(browser, password) {
      const { json } = await post(browser, '/two-factor/enable', { password })
      const secret = fromBase32(new URL(String(json['totpURI'])).searchParams.get('secret') ?? '')
      const { stepAt, totpCode } = await import('../../../src/auth/totp.ts')
      await post(browser, '/two-factor/verify-totp', { code: await totpCode(secret, stepAt(Date.now()) - 1) })
      return { secret, recovery: json['backupCodes'] as string[] }
    },
    asksForCode: ({ json }) => json['twoFactorRedirect'] === true,
    code: (browser, _, code) => post(browser, '/two-factor/verify-totp', { code }),
    recoveryCode: (browser, _, code) => post(browser, '/two-factor/verify-backup-code', { code }),
    changeMail: (browser, newEmail) => post(browser, '/change-email', { newEmail }),
  }
}
