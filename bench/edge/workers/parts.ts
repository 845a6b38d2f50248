import { type Auth, createAuth } from 'breakwater/auth'
import { type Capture, createCapture } from 'breakwater/capture'
import { memoryMailer } from 'breakwater/mail'
import { createLimiter, memory, presets, type RateLimiter } from 'breakwater/rate-limit'
import { database, revocations } from './person.ts'

/** Signs cookies and keys hashes. */
export const SECRET = 'a-secret-that-is-long-enough-for-the-bench-0123456789'

/**
 * The services of the reference worker, with the same options but for where their state lives: here, so that only CPU
 * is measured. Nothing is refused under load.
 */
export function limiter(): RateLimiter {
  return createLimiter({
    store: memory(),
    secret: SECRET,
    policies: { default: { ...presets.default, quota: 1_000_000_000 } },
  })
}

export function auth(limiter: RateLimiter): Auth {
  return createAuth({
    db: database,
    secrets: [SECRET],
    app: { name: 'Bench', origin: 'http://localhost' },
    limiter,
    mailer: memoryMailer(),
    cache: { revocations },
  })
}

/** No transactions, as in the peers' worker: an outgoing request is no CPU of ours. */
export function capture(): Capture {
  return createCapture({ dsn: 'http://key@127.0.0.1:9/1', release: 'bench', tracesSampleRate: 0 })
}
