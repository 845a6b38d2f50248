import { type Context, Hono } from 'hono'
import { closeAccount } from './account-close.ts'
import { type AuthSource, internalsOf } from './auth.ts'
import { clearSessionCookies } from './cookies.ts'
import { unauthenticated } from './errors.ts'
import { body, email, token } from './input.ts'
import { confirmMailChange, requestMailChange } from './mail-change.ts'
import { type AuthEnv, requireFresh, session } from './middleware.ts'
import { refresh, revokeRefreshToken } from './refreshing.ts'
import { sessionJson, userJson } from './routes-schema.ts'
import { visitorOf } from './visitor.ts'

/** The endpoints that change or close an account, and those of refresh tokens. */
export function accountRoutes(source: AuthSource): Hono<AuthEnv> {
  const at = (c: Context) => {
    const { config, identify } = internalsOf(source, c)
    return { config, identify, visitor: visitorOf(c, config.clientAddress) }
  }
  return new Hono<AuthEnv>()
    .post('/token/refresh', body({ refreshToken: token }), async (c) => {
      const { config, visitor } = at(c)
      const { user, session, tokens } = await refresh(config, c.req.valid('json').refreshToken, visitor)
      return c.json({ user: userJson(user), session: sessionJson(session), tokens }, 200)
    })
    .post('/token/revoke', body({ refreshToken: token }), async (c) => {
      const { config, visitor } = at(c)
      await revokeRefreshToken(config, c.req.valid('json').refreshToken, visitor)
      return c.body(null, 204)
    })
    .post('/mail/change', session(source), requireFresh(), body({ email }), async (c) => {
      const { config, identify, visitor } = at(c)
      const identity = await identify(c)
      if (identity === undefined) throw unauthenticated()
      await requestMailChange(config, identity, c.req.valid('json').email, visitor)
      return c.json({ status: 'check-your-mail' as const }, 202)
    })
    .post('/mail/confirm', body({ token }), async (c) => {
      const { config, visitor } = at(c)
      await confirmMailChange(config, c.req.valid('json').token, visitor)
      clearSessionCookies(c, config)
      return c.json({ status: 'mail-changed' as const }, 200)
    })
    .post('/account/close', session(source), requireFresh(), async (c) => {
      const { config, identify, visitor } = at(c)
      const identity = await identify(c)
      if (identity === undefined) throw unauthenticated()
      await closeAccount(config, identity, visitor)
      clearSessionCookies(c, config)
      return c.body(null, 204)
    }) as unknown as Hono<AuthEnv>
}
