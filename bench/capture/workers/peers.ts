import { env } from 'cloudflare:workers'
import { sentry } from '@hono/sentry'
import { neon, neonConfig } from '@neondatabase/serverless'
import * as Sentry from '@sentry/cloudflare'
import { Redis } from '@upstash/redis/cloudflare'
import { Hono } from 'hono'
import { otherWork, type ScenarioEnv, scenarios } from '../../../test/conformance/capture/scenarios.ts'

/** The same app, watched by what its author would otherwise take, as each one's documentation shows it. */
const clients = {
  fetch: (input: RequestInfo | URL, init?: RequestInit) => fetch(input, init),
  query: (given: ScenarioEnv) => {
    neonConfig.fetchEndpoint = `${given.OUTSIDE}/sql`
    const sql = neon('postgres://app:secret-password@localhost/app')
    return sql`select name from people where mail = ${'ann@example.com'}`
  },
  redis: (given: ScenarioEnv) =>
    new Redis({ url: given.OUTSIDE, token: 'redis-token', enableTelemetry: false }).get(
      'person:ann@example.com',
    ),
  bucket: (given: ScenarioEnv) => given.BUCKET,
}

const { PEER, SENTRY_DSN } = env as unknown as ScenarioEnv

function honoSentry() {
  const app = new Hono<{ Bindings: ScenarioEnv }>()
  app.use('*', sentry({ dsn: SENTRY_DSN }))
  return Object.assign(scenarios(clients, app), otherWork)
}

function sentryCloudflare() {
  // The app itself, not its fetch alone: that is what lets withSentry see what Hono catches.
  const app = Object.assign(scenarios(clients), otherWork)
  return Sentry.withSentry(
    // Transactions, not its newer stream of spans: what the ingest here, and most of Sentry's pages, show.
    () => ({ dsn: SENTRY_DSN, tracesSampleRate: 1, sendDefaultPii: false, traceLifecycle: 'static' }),
    app as unknown as ExportedHandler,
  )
}

export default PEER === 'hono-sentry' ? honoSentry() : sentryCloudflare()
