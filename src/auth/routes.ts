import type { Context, Hono } from 'hono'
import { BreakwaterError } from '../core/index.ts'
import { admit } from './admit.ts'
import { type AuthSource, internalsOf } from './auth.ts'
import { clearSessionCookies, presented, presentedDevice, setDeviceCookie } from './cookies.ts'
import { sealDevice } from './device-cookie.ts'
import { endpoints } from './endpoints.ts'
import { unauthenticated, validationFailed } from './errors.ts'
import { fresh } from './fresh.ts'
import { after } from './hooks.ts'
import { claimed } from './identity.ts'
import { body, email, password, token, transport } from './input.ts'
import { type AuthEnv, requireUser, session } from './middleware.ts'
import { changePassword, forgotPassword, resetPassword } from './password-change.ts'
import { markRevoked } from './revoking.ts'
import { accountRoutes } from './routes-account.ts'
import { factorRoutes } from './routes-factors.ts'
import { type AuthSchema, type SecondFactorJson, sessionJson, userJson } from './routes-schema.ts'
import { signInWithCode } from './second-factor.ts'
import { announceEnd, deleteSession, deleteSessionByToken, deleteSessions } from './session-end.ts'
import { listSessions } from './session-store.ts'
import { signIn } from './sign-in.ts'
import { signUp, verifyMail } from './sign-up.ts'
import { isUuid, parseToken } from './token.ts'
import { type Visitor, visitorOf } from './visitor.ts'

const noSuchSession = () =>
  new BreakwaterError('not-found', { status: 404, detail: 'There is no such session.' })

/**
 * The endpoints of accounts and sessions, to mount where they shall be: `app.route('/auth', authRoutes(auth))`.
 * Typed for `hc`. Each error is a `BreakwaterError`; answers never tell whether an account exists.
 *
 * @param source what `createAuth` made, or how to come by it.
 */
export function authRoutes(source: AuthSource): Hono<AuthEnv, AuthSchema, '/'> {
  const at = (c: Context) => {
    const internals = internalsOf(source, c)
    const { config, claim } = internals
    const visitor: Visitor = visitorOf(c, config.clientAddress)
    return { internals, config, claim, visitor }
  }

  return endpoints(source)
    .post('/sign-up', body({ email, password }), async (c) => {
      const { config, visitor } = at(c)
      await signUp(config, c.req.valid('json'), visitor)
      return c.json({ status: 'check-your-mail' as const }, 202)
    })
    .post('/verify-mail', body({ token }), async (c) => {
      const { config, visitor } = at(c)
      const { email } = await verifyMail(config, c.req.valid('json').token, visitor)
      // Whoever opens a mailbox's link is no stranger to the account: no notice of a new device will follow.
      setDeviceCookie(c, await sealDevice(config.secrets, email))
      return c.json({ status: 'verified' as const }, 200)
    })
    .post('/sign-in', body({ email, password, transport }), async (c) => {
      const { internals, config, visitor } = at(c)
      const since = Date.now()
      const { transport = 'cookie', ...credentials } = c.req.valid('json')
      if (transport === 'token' && config.tokens === undefined) {
        throw validationFailed([{ pointer: '/transport', detail: 'must be cookie' }])
      }
      const replaces = transport === 'cookie' ? parseToken(presented(c, config).session) : undefined
      const input = { ...credentials, transport, replaces, device: presentedDevice(c) }
      const answer = await signIn(config, input, visitor)
      if ('challenge' in answer) {
        const due: SecondFactorJson = {
          status: 'mfa-required',
          challenge: answer.challenge,
          methods: [...answer.methods],
        }
        return c.json(due, 202)
      }
      return c.json(await admit(c, internals, answer, since), 200)
    })
    .post('/sign-in/second-factor', body({ challenge: token, code: token }), async (c) => {
      const { internals, config, visitor } = at(c)
      const since = Date.now()
      const replaces = parseToken(presented(c, config).session)
      const input = { ...c.req.valid('json'), replaces, device: presentedDevice(c) }
      return c.json(await admit(c, internals, await signInWithCode(config, input, visitor), since), 200)
    })
    .post('/sign-out', async (c) => {
      const { config, claim, visitor } = at(c)
      const { session, bearer } = presented(c, config)
      const token = bearer === undefined ? parseToken(session) : undefined
      if (token !== undefined) {
        const claimant = await claimed(config, presented(c, config))
        await announceEnd(config, claimant?.user.id, visitor)
        const userId = await deleteSessionByToken(config.db, token, visitor)
        if (userId !== undefined) {
          if (claimant === undefined) await markRevoked(config, userId, visitor)
          after(config, visitor, 'signed-out', userId, token.id)
        }
      } else if (bearer !== undefined) {
        const found = await claim(c)
        await announceEnd(config, found?.user.id, visitor)
        if (found !== undefined) {
          const { id, userId } = found.session
          await deleteSession(config, userId, id, { visitor })
          after(config, visitor, 'signed-out', userId, id)
        }
      }
      clearSessionCookies(c, config)
      return c.body(null, 204)
    })
    .post('/sign-out-everywhere', async (c) => {
      const { config, claim, visitor } = at(c)
      const { session } = fresh(await claim(c))
      await announceEnd(config, session.userId, visitor)
      const ended = await deleteSessions(config, session.userId, { session, visitor })
      after(config, visitor, 'other-sessions-ended', session.userId, session.id)
      return c.json({ ended }, 200)
    })
    .get('/session', session(source), (c) => {
      const { user, session } = c.var
      if (user === undefined || session === undefined) return c.json({ user: null, session: null }, 200)
      return c.json({ user: userJson(user), session: sessionJson(session) }, 200)
    })
    .get('/sessions', session(source), requireUser(), async (c) => {
      const { config } = at(c)
      const list = await listSessions(config.db, c.var.user.id, config.times)
      const current = c.var.session.id
      return c.json({ sessions: list.map((s) => ({ ...sessionJson(s), current: s.id === current })) }, 200)
    })
    .delete('/sessions/:id', async (c) => {
      const { config, claim, visitor } = at(c)
      const { session } = fresh(await claim(c))
      const { userId } = session
      const id = c.req.param('id')
      await announceEnd(config, userId, visitor)
      if (!isUuid(id) || !(await deleteSession(config, userId, id, { session, visitor })))
        throw noSuchSession()
      after(config, visitor, 'session-ended', userId, id)
      if (id === session.id) clearSessionCookies(c, config)
      return c.body(null, 204)
    })
    .post('/password/change', body({ currentPassword: password, newPassword: password }), async (c) => {
      const { internals, config, claim, visitor } = at(c)
      const since = Date.now()
      const identity = await claim(c)
      if (identity === undefined) throw unauthenticated()
      const input = { ...c.req.valid('json'), device: presentedDevice(c) }
      return c.json(
        await admit(c, internals, await changePassword(config, identity, input, visitor), since),
        200,
      )
    })
    .post('/password/forgot', body({ email }), async (c) => {
      const { config, visitor } = at(c)
      await forgotPassword(config, c.req.valid('json').email, visitor)
      return c.json({ status: 'check-your-mail' as const }, 202)
    })
    .post('/password/reset', body({ token, newPassword: password }), async (c) => {
      const { config, visitor } = at(c)
      await resetPassword(config, c.req.valid('json'), visitor)
      clearSessionCookies(c, config)
      return c.json({ status: 'password-changed' as const }, 200)
    })
    .route('/second-factor', factorRoutes(source))
    .route('/', accountRoutes(source)) as unknown as Hono<AuthEnv, AuthSchema, '/'>
}
