import * as Sentry from '@sentry/cloudflare'
import { Hono } from 'hono'

/** The same handler, watched by Sentry's own SDK as its documentation shows it, a tenth of requests traced. */
const app = new Hono().get('/me', (c) => c.json({ id: 'u1', email: 'a@example.com' }))

export default Sentry.withSentry(
  (env: { SENTRY_DSN: string; RATE: string }) => ({
    dsn: env.SENTRY_DSN,
    tracesSampleRate: Number(env.RATE),
  }),
  app as unknown as ExportedHandler<{ SENTRY_DSN: string; RATE: string }>,
)
