import { env as given } from 'cloudflare:workers'
import { neon, neonConfig } from '@neondatabase/serverless'
import * as Sentry from '@sentry/cloudflare'
import { Redis } from '@upstash/redis/cloudflare'
import { betterAuth } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { drizzle } from 'drizzle-orm/neon-http'
import { boolean, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { Hono, type MiddlewareHandler } from 'hono'
import { logger } from 'hono/logger'
import { secureHeaders } from 'hono/secure-headers'
import { RedisStore, rateLimiter } from 'hono-rate-limiter'

/**
 * The peers over the same stand-ins: better-auth on Drizzle and Neon with Upstash as secondary storage,
 * hono-rate-limiter on Upstash. The variable COOKIE_CACHE switches better-auth's signed cookie on, which is believed
 * for its whole life whatever happens to the session.
 */
const env = given as unknown as Readonly<Record<string, string>>
neonConfig.fetchEndpoint = `${env['NEON_ENDPOINT']}/sql`
const redis = new Redis({ url: env['REDIS_URL'], token: env['REDIS_TOKEN'], enableTelemetry: false })

const times = { createdAt: timestamp('created_at').notNull(), updatedAt: timestamp('updated_at').notNull() }
const user = pgTable('peer_user', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  email: text('email').notNull().unique(),
  emailVerified: boolean('email_verified').notNull(),
  image: text('image'),
  ...times,
})
const session = pgTable('peer_session', {
  id: text('id').primaryKey(),
  expiresAt: timestamp('expires_at').notNull(),
  token: text('token').notNull().unique(),
  ipAddress: text('ip_address'),
  userAgent: text('user_agent'),
  userId: text('user_id').notNull(),
  ...times,
})
const account = pgTable('peer_account', {
  id: text('id').primaryKey(),
  accountId: text('account_id').notNull(),
  providerId: text('provider_id').notNull(),
  userId: text('user_id').notNull(),
  accessToken: text('access_token'),
  refreshToken: text('refresh_token'),
  idToken: text('id_token'),
  accessTokenExpiresAt: timestamp('access_token_expires_at'),
  refreshTokenExpiresAt: timestamp('refresh_token_expires_at'),
  scope: text('scope'),
  password: text('password'),
  ...times,
})
const verification = pgTable('peer_verification', {
  id: text('id').primaryKey(),
  identifier: text('identifier').notNull(),
  value: text('value').notNull(),
  expiresAt: timestamp('expires_at').notNull(),
  ...times,
})

const auth = betterAuth({
  baseURL: 'http://localhost',
  secret: 'a-secret-that-is-long-enough-for-the-bench-0123456789',
  database: drizzleAdapter(drizzle(neon(env['DATABASE_URL'] ?? '')), {
    provider: 'pg',
    schema: { user, session, account, verification },
  }),
  secondaryStorage: {
    get: async (key) => {
      const value = await redis.get(key)
      return typeof value === 'string' || value === null ? value : JSON.stringify(value)
    },
    set: async (key, value, ttl) => {
      await (ttl ? redis.set(key, value, { ex: ttl }) : redis.set(key, value))
    },
    delete: async (key) => {
      await redis.del(key)
    },
  },
  emailAndPassword: { enabled: true },
  session: { cookieCache: { enabled: env['COOKIE_CACHE'] === 'on', maxAge: 300 } },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
})

const app = new Hono()
app.get('/', (c) => c.text('ok'))
app.use(logger())
app.use(secureHeaders())
let limiter: MiddlewareHandler | undefined
app.use((c, next) => {
  limiter ??= rateLimiter({
    windowMs: 60_000,
    limit: 1_000_000_000,
    standardHeaders: 'draft-7',
    keyGenerator: (c) => c.req.header('cf-connecting-ip') ?? 'local',
    store: new RedisStore({ client: redis }),
  })
  return limiter(c, next)
})
app.on(['GET', 'POST'], '/api/auth/*', (c) => auth.handler(c.req.raw))
app.get('/me', async (c) => {
  const found = await auth.api.getSession({ headers: c.req.raw.headers })
  return found ? c.json(found.user) : c.json({ error: 'unauthenticated' }, 401)
})

export default Sentry.withSentry(
  () => ({ dsn: 'http://key@127.0.0.1:9/1', tracesSampleRate: 0, sendDefaultPii: false }),
  app,
)
