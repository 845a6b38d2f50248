import { guard } from 'breakwater'
import { countRequests } from 'breakwater/alerts'
import { type AuthEnv, authRoutes, deferSession, requireUser } from 'breakwater/auth'
import { apiKeyRoutes, requireScope, type ScopedEnv } from 'breakwater/auth/api-keys'
import { passkeyRoutes } from 'breakwater/auth/passkeys'
import { breakerStates } from 'breakwater/breaker'
import { captureMiddleware, captureTunnel, traceRoutes } from 'breakwater/capture'
import { problems, type RequestContextEnv, requestContext } from 'breakwater/core'
import { queryMonitor } from 'breakwater/db-health'
import { health, postgresCheck, queueCheck, r2Check, redisCheck } from 'breakwater/health'
import { relayJobs } from 'breakwater/jobs'
import { log } from 'breakwater/log'
import { deferLimit, limit, type RateLimitEnv, rateLimit } from 'breakwater/rate-limit'
import { bodyLimit, secure } from 'breakwater/secure'
import { type Context, Hono } from 'hono'
import type { Bindings } from './env.ts'
import { operations } from './operations.ts'
import type { Services } from './services.ts'

/** What handlers of this app find on the context. */
export type AppEnv = { Bindings: Bindings } & RequestContextEnv & RateLimitEnv & AuthEnv

/** The routes of this app, over its services. */
export function createApp(services: Services) {
  const { env, reporter, db, redis, limiter, auth, apiKeys, uploads } = services
  const development = env.ENVIRONMENT === 'development'
  const deferred = deferLimit()

  const app = traceRoutes(new Hono<AppEnv>())
    .use(captureMiddleware())
    .use(requestContext())
    .use(log())
    .use(queryMonitor({ reporter, serverTiming: development }))
    .use(countRequests(services.alerts))
    .use(secure({ csrf: { origins: [env.APP_ORIGIN] } }))
    // Before the guard: probes come often and are answered from memory.
    .route(
      '/',
      health({
        checks: {
          postgres: postgresCheck(db),
          redis: redisCheck(redis, { critical: false }),
          uploads: r2Check(env.UPLOADS, { critical: false }),
          jobs: queueCheck(env.JOBS),
        },
        token: env.OPS_TOKEN,
        release: env.CF_VERSION_METADATA.id,
        breakers: breakerStates,
      }),
    )
    .use('/auth/*', deferSession())
    .use(relayJobs({ jobs: services.jobs }))
    .use(guard({ limits: rateLimit({ limiter }), auth }))
    // These ask the limiter themselves, by account too, or mark whose sessions end: both travel together.
    .use('/auth/sign-up', deferred)
    .use('/auth/sign-in/*', deferred)
    .use('/auth/verify-mail', deferred)
    .use('/auth/password/*', deferred)
    .use('/auth/mail/*', deferred)
    .use('/auth/passkeys/sign-in', deferred)
    .use('/auth/passkeys/second-factor', deferred)
    .use('/auth/sign-out', deferred)
    .use('/auth/sign-out-everywhere', deferred)
    .on('DELETE', '/auth/sessions/:id', deferred)
    // The guard has counted it already.
    .post('/_capture', captureTunnel({ capture: services.capture }))
    .route('/auth', authRoutes(auth))
    .route('/auth/passkeys', passkeyRoutes(auth))
    .route('/api-keys', apiKeyRoutes(apiKeys))
    .get('/me', requireUser(), (c) => c.json(c.var.user))
    // For programs as well: a key counts by itself, wherever its requests come from.
    .get(
      '/api/me',
      requireScope(apiKeys, 'profile:read'),
      limit('expensive', { key: (c: Context<ScopedEnv>) => c.get('apiKey')?.id ?? c.get('user').id }),
      (c) => c.json(c.var.user),
    )
    // Kinds of uploads have limits of their own.
    .use(
      '/uploads/*',
      bodyLimit({ json: false, form: false, text: false, multipart: false, other: false, jsonDepth: false }),
    )
    .route('/uploads', uploads.routes)
    .route('/ops', operations(services))
    .get('/boom', (c) => {
      if (!development) return c.notFound()
      throw new Error('The reference app was asked to fail')
    })

  return problems(app, { development })
}

/**
 * The type of the app, for Hono's `hc` client.
 * @public
 */
export type App = ReturnType<typeof createApp>
