import { env } from 'cloudflare:workers'
import { type AuthEnv, session } from 'breakwater/auth'
import { captureMiddleware, withCapture } from 'breakwater/capture'
import { requestContext } from 'breakwater/core'
import { log } from 'breakwater/log'
import { rateLimit } from 'breakwater/rate-limit'
import { secure } from 'breakwater/secure'
import { Hono } from 'hono'
import * as parts from './parts.ts'

/** One middleware over bare Hono; which one, the variable PART says. */
const csrf = { origins: ['http://localhost'] }

const mount: Readonly<Record<string, (app: Hono<AuthEnv>) => unknown>> = {
  bare: () => {},
  requestContext: (app) => app.use(requestContext()),
  log: (app) => app.use(log()),
  secure: (app) => app.use(secure({ csrf })),
  'secure + request id + log': (app) => app.use(requestContext()).use(log()).use(secure({ csrf })),
  rateLimit: (app) => app.use(rateLimit({ limiter: parts.limiter() })),
  session: (app) => app.use(session(parts.auth(parts.limiter()))),
  capture: (app) => app.use(captureMiddleware()),
}

const part = (env as unknown as { readonly PART: string }).PART
const app = new Hono<AuthEnv>()
mount[part]?.(app)
app.get('/me', (c) => c.json({ id: 'u1', email: 'a@example.com' }))

export default part === 'capture' ? withCapture(parts.capture(), { fetch: app.fetch }) : app
