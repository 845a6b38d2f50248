import argon2 from '@phi-ag/argon2/argon2.wasm'
import { createAlerts, redisStore, report } from 'breakwater/alerts'
import { type AuthEnv, argon2id, createAuth, pwnedPasswords, redisRevocations } from 'breakwater/auth'
import { administration } from 'breakwater/auth/administration'
import { createApiKeys } from 'breakwater/auth/api-keys'
import { createBackup } from 'breakwater/backup'
import type { Capture } from 'breakwater/capture'
import { createDatabase } from 'breakwater/db'
import { createQueryHistory } from 'breakwater/db-health'
import type { InferEnv } from 'breakwater/env'
import { createJobs } from 'breakwater/jobs'
import { logger } from 'breakwater/log'
import { resend } from 'breakwater/mail'
import { createLimiter, upstash } from 'breakwater/rate-limit'
import { createRedis } from 'breakwater/redis'
import { createUploads, type DirectAccess } from 'breakwater/uploads'
import type { environment } from './env.ts'
import { defineJobs } from './jobs.ts'

/** Everything this app is made of. */
export type Services = ReturnType<typeof createServices>

/** What lets clients send straight to the bucket. Half of it is refused when the service is built. */
function directAccess(env: InferEnv<typeof environment>): { direct?: DirectAccess } {
  const { R2_ENDPOINT: endpoint, R2_BUCKET: bucket = '' } = env
  const { R2_ACCESS_KEY_ID: accessKeyId = '', R2_SECRET_ACCESS_KEY: secretAccessKey = '' } = env
  return endpoint === undefined ? {} : { direct: { endpoint, bucket, accessKeyId, secretAccessKey } }
}

/**
 * Builds every service from the environment. None of them holds a connection or anything else that belongs to a
 * request, so one set serves the whole isolate.
 */
export function createServices(env: InferEnv<typeof environment>, capture: Capture) {
  const reporter = capture
  const db = createDatabase({ url: env.DATABASE_URL, endpoint: env.NEON_ENDPOINT })
  const redis = createRedis({ url: env.UPSTASH_REDIS_REST_URL, token: env.UPSTASH_REDIS_REST_TOKEN })
  const limiter = createLimiter({
    store: upstash(redis),
    secret: env.SESSION_SECRET[0],
    onStoreFailure: (error) =>
      reporter.captureException(error, { level: 'warning', mechanism: 'rate-limit' }),
  })
  const mailer = resend({
    apiKey: env.RESEND_API_KEY,
    from: env.MAIL_FROM,
    ...(env.MAIL_ENDPOINT !== undefined && { endpoint: env.MAIL_ENDPOINT }),
  })

  // Jobs call the services that enqueue them: the circle is closed by functions, called long after both exist.
  const jobs = createJobs({
    db,
    queue: env.JOBS,
    reporter,
    jobs: defineJobs({
      deliverMail: (input, options) => auth.deliver(input, options),
      processUpload: (id, options) => uploads.process(id, options),
    }),
  })
  // Nothing of a developer's machine goes out.
  const endpoint = env.PWNED_ENDPOINT
  const asksForLeaks = endpoint !== undefined || env.ENVIRONMENT === 'production'
  const auth = createAuth({
    db,
    secrets: env.SESSION_SECRET,
    app: { name: 'Breakwater', origin: env.APP_ORIGIN },
    limiter,
    mailer,
    enqueue: jobs.byName,
    hasher: argon2id(argon2),
    cache: { revocations: redisRevocations(redis) },
    tokens: {},
    ...(asksForLeaks && { breached: pwnedPasswords(endpoint === undefined ? {} : { endpoint }) }),
    hooks: { after: ({ type, ...event }) => logger.info(type, { ...event, kind: 'auth' }) },
  })
  const accounts = administration(auth)
  const apiKeys = createApiKeys(auth, { scopes: ['profile:read'] })
  const uploads = createUploads<AuthEnv>({
    db,
    bucket: env.UPLOADS,
    owner: (c) => c.var.user?.id,
    kinds: {
      image: {
        types: ['image/png', 'image/jpeg', 'image/gif', 'image/webp'],
        maxBytes: 10_000_000,
        variants: { thumbnail: { width: 320, height: 320, fit: 'cover' } },
      },
      film: { types: ['video/mp4', 'video/webm'], maxBytes: 500_000_000 },
    },
    enqueue: jobs.byName,
    images: () => env.IMAGES,
    secrets: env.SESSION_SECRET,
    ...directAccess(env),
  })
  const backup = createBackup({
    databaseUrl: env.DATABASE_URL,
    ...(env.NEON_ENDPOINT !== undefined && { endpoint: env.NEON_ENDPOINT }),
    bucket: env.BACKUPS,
    encryptionKeys: env.BACKUP_KEY,
  })
  const alerts = createAlerts({
    store: redisStore(redis),
    // Into the error tracker, whose own rules take it to people. Add slack(), webhook() or mail() beside it.
    channels: [report(reporter)],
    service: new URL(env.APP_ORIGIN).host,
    reporter,
    deadLetters: async () =>
      (await jobs.counts()).reduce((sum, { state, count }) => sum + (state === 'dead' ? count : 0), 0),
    // Elsewhere nobody misses one.
    ...(env.ENVIRONMENT === 'production' && {
      lastBackup: async () => {
        const latest = await backup.latest()
        return latest && new Date(latest.startedAt)
      },
    }),
  })
  const queries = createQueryHistory({ db, reporter })
  return {
    env,
    reporter,
    queries,
    db,
    redis,
    limiter,
    jobs,
    auth,
    accounts,
    apiKeys,
    uploads,
    backup,
    alerts,
    capture,
  }
}
