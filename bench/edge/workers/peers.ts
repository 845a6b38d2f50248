import * as Sentry from '@sentry/cloudflare'
import { betterAuth } from 'better-auth'
import { Hono, type MiddlewareHandler } from 'hono'
import { logger } from 'hono/logger'
import { secureHeaders } from 'hono/secure-headers'
import { rateLimiter } from 'hono-rate-limiter'

/**
 * What a user would put together instead, each as its own documentation shows it: better-auth with its cookie
 * cache, hono-rate-limiter in memory, Sentry's SDK, and Hono's own headers and logger. Without a `database`
 * better-auth keeps everything in memory.
 */
interface Bindings {
  SECRET: string
  SENTRY_DSN: string
}

const auth = betterAuth({
  baseURL: 'http://localhost',
  secret: 'a-secret-that-is-long-enough-for-the-bench-0123456789',
  emailAndPassword: { enabled: true },
  session: { cookieCache: { enabled: true, maxAge: 300 } },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
})

const app = new Hono<{ Bindings: Bindings }>()
app.use(logger())
app.use(secureHeaders())
// Its memory store starts a timer when it is made, which Workers forbid outside of a request.
let limiter: MiddlewareHandler | undefined
app.use((c, next) => {
  limiter ??= rateLimiter({
    windowMs: 60_000,
    limit: 1_000_000_000,
    standardHeaders: 'draft-7',
    keyGenerator: (c) => c.req.header('cf-connecting-ip') ?? 'local',
  })
  return limiter(c, next)
})
app.on(['GET', 'POST'], '/api/auth/*', (c) => auth.handler(c.req.raw))
app.get('/me', async (c) => {
  const session = await auth.api.getSession({ headers: c.req.raw.headers })
  return session ? c.json(session.user) : c.json({ error: 'unauthenticated' }, 401)
})
app.get('/', (c) => c.text('ok'))

export default Sentry.withSentry(
  (env: Bindings) => ({ dsn: env.SENTRY_DSN, tracesSampleRate: 0, sendDefaultPii: false }),
  app,
)
