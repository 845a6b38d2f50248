import { Hono } from 'hono'
import { AlertsOfSentry, alertsApi } from './alerts.ts'
import { type Artifacts, artifactsApi } from './artifacts.ts'

/**
 * Sentry's public API below `/api/0`, as far as this package speaks to it.
 * @param tokens Those that are known; absent, any.
 */
export function sentryApi(artifacts: Artifacts, tokens?: readonly string[]): Hono {
  const app = new Hono({ strict: false })
  app.use(async (c, next) => {
    const token = /^Bearer (\S+)$/.exec(c.req.header('authorization') ?? '')?.[1]
    if (token === undefined) return c.json({ detail: 'Authentication credentials were not provided.' }, 401)
    if (tokens && !tokens.includes(token)) return c.json({ detail: 'Invalid token' }, 401)
    return next()
  })
  app.route('/', alertsApi(new AlertsOfSentry()))
  app.route('/', artifactsApi(artifacts))
  return app
}
