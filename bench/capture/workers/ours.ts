import { captureMiddleware, traceRoutes, withCapture } from 'breakwater/capture'
import { Hono } from 'hono'

/** What is measured: a handler that does next to nothing, watched. */
const app = traceRoutes(new Hono())
  .use(captureMiddleware())
  .get('/me', (c) => c.json({ id: 'u1', email: 'a@example.com' }))
const make = (tracesSampleRate: number) =>
  withCapture((env: { SENTRY_DSN: string; RATE: string }) => ({ dsn: env.SENTRY_DSN, tracesSampleRate }), app)
const never = make(0)
const always = make(0.1)

export default {
  fetch: (request: Request, env: { SENTRY_DSN: string; RATE: string }, context: ExecutionContext) =>
    (env.RATE === '0' ? never : always).fetch(request, env, context),
}
