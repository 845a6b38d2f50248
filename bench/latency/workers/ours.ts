import { env as given } from 'cloudflare:workers'
import argon2 from '@phi-ag/argon2/argon2.wasm'
import { breakwater, guard } from 'breakwater'
import {
  type AuthEnv,
  argon2id,
  authRoutes,
  createAuth,
  redisRevocations,
  requireUser,
} from 'breakwater/auth'
import { captureMiddleware, createCapture } from 'breakwater/capture'
import { problems, type RequestContextEnv, requestContext } from 'breakwater/core'
import { createDatabase } from 'breakwater/db'
import { createJobs, job } from 'breakwater/jobs'
import { log } from 'breakwater/log'
import { createLimiter, type RateLimitEnv, rateLimit, upstash } from 'breakwater/rate-limit'
import { createRedis } from 'breakwater/redis'
import { secure } from 'breakwater/secure'
import { Hono } from 'hono'

/** The reference worker's chain and services, over the stand-ins; nobody is refused for coming often. */
const env = given as unknown as Readonly<Record<string, string>>
const secret = 'a-secret-that-is-long-enough-for-the-bench-0123456789'
const generous = { quota: 1_000_000_000, window: '1 m' } as const

const db = createDatabase({ url: env['DATABASE_URL'] ?? '', endpoint: env['NEON_ENDPOINT'] })
const redis = createRedis({ url: env['REDIS_URL'] ?? '', token: env['REDIS_TOKEN'] ?? '' })
const limiter = createLimiter({
  store: upstash(redis),
  secret,
  policies: { default: generous, credentials: generous, registration: generous, message: generous },
})

let mail = ''
const auth = createAuth({
  db,
  secrets: [secret],
  app: { name: 'Bench', origin: 'http://localhost' },
  limiter,
  mailer: {
    async send({ text }) {
      mail = text
      return { id: 'kept' }
    },
  },
  // More devices than one has, so that nobody's session ends to make room.
  sessions: { perUser: 1000 },
  hasher: argon2id(argon2),
  cache: { revocations: redisRevocations(redis) },
})

const anything = {
  '~standard': { version: 1, vendor: 'bench', validate: (value: unknown) => ({ value }) },
} as const
const beacon = job('beacon', { input: anything, transaction: false }, async () => {})
const queue = { send: async () => {}, sendBatch: async () => {} }
const jobs = createJobs({ db, queue, jobs: [beacon] })

const app = new Hono<RequestContextEnv & RateLimitEnv & AuthEnv>()
  .get('/mail', (c) => c.text(mail))
  .use(captureMiddleware())
  .use(requestContext())
  .use(log())
  .use(secure({ csrf: { origins: ['http://localhost'] } }))
  .use(guard({ limits: rateLimit({ limiter }), auth }))
  .route('/auth', authRoutes(auth))
  .get('/me', requireUser(), (c) => c.json(c.var.user))
  .post('/enqueue', requireUser(), async (c) =>
    c.json({ id: await jobs.enqueue(beacon, { lit: true }) }, 202),
  )

const capture = createCapture({ dsn: 'http://key@127.0.0.1:9/1', tracesSampleRate: 0 })
export default breakwater({ app: problems(app), capture })
