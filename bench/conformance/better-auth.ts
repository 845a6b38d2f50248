// @ts-nocheck: what it imports is installed for the bench alone, and this is checked without it.
import { betterAuth } from 'better-auth'
import { twoFactor } from 'better-auth/plugins'

/**
 * better-auth as its documentation sets it up for an application that cares: verified addresses, its own rate
 * limit, its two-factor plugin, sessions ended on a reset. Without a `database` everything is in memory. Mails can
 * be read at `/__mails`.
 */
const mails: { to: string; subject: string; text: string }[] = []

const auth = betterAuth({
  baseURL: 'https://app.example',
  secret: 'a-secret-that-is-long-enough-for-the-table-0123456789',
  appName: 'better-auth',
  trustedOrigins: ['http://127.0.0.1:*'],
  emailAndPassword: {
    enabled: true,
    requireEmailVerification: true,
    revokeSessionsOnPasswordReset: true,
    sendResetPassword: async ({ user, token }) => {
      mails.push({ to: user.email, subject: 'Reset your password', text: `Reset: ${token}` })
    },
  },
  emailVerification: {
    sendOnSignUp: true,
    sendVerificationEmail: async ({ user, token }) => {
      mails.push({ to: user.email, subject: 'Verify your address', text: `Verify: ${token}` })
    },
  },
  user: {
    changeEmail: {
      enabled: true,
      sendChangeEmailConfirmation: async ({ user, newEmail }) => {
        mails.push({ to: user.email, subject: 'Your address is about to change', text: newEmail })
      },
    },
  },
  // Without a database the default is to keep sessions in cookies alone; with one it is not, and that is what is asked.
  session: { cookieCache: { enabled: false } },
  plugins: [twoFactor()],
  rateLimit: { enabled: true },
  advanced: { useSecureCookies: true },
  telemetry: { enabled: false },
})

export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url)
    if (url.pathname === '/__mails') {
      return Response.json(mails.filter(({ to }) => to === url.searchParams.get('to')).reverse())
    }
    if (url.pathname === '/') return new Response('ok')
    return auth.handler(request)
  },
}
