import {
  captureMiddleware,
  type EventClient,
  tracedBucket,
  tracedFetch,
  traceRoutes,
  withCapture,
} from 'breakwater/capture'
import { createDatabase } from 'breakwater/db'
import { createRedis } from 'breakwater/redis'
import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { otherWork, type ScenarioEnv, scenarios } from './scenarios.ts'

/** The app watched by `breakwater/capture`, with its clients. */
export function ours(client?: EventClient) {
  const fetching = tracedFetch()
  const app = scenarios(
    {
      fetch: fetching,
      query: (env) =>
        createDatabase({
          url: 'postgres://app:secret-password@localhost/app',
          endpoint: env.OUTSIDE,
        }).execute(sql`select name from people where mail = ${'ann@example.com'}`),
      redis: (env) => createRedis({ url: env.OUTSIDE, token: 'redis-token' }).get('person:ann@example.com'),
      bucket: (env) => tracedBucket(env.BUCKET),
    },
    traceRoutes(new Hono<{ Bindings: ScenarioEnv }>()).use(captureMiddleware()),
  )
  return withCapture(
    (env: ScenarioEnv) => ({ dsn: env.SENTRY_DSN, tracesSampleRate: 1, ...(client && { client }) }),
    { fetch: app.fetch, ...otherWork },
  )
}
