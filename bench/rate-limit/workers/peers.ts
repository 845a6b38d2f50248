import { env as given } from 'cloudflare:workers'
import { Ratelimit } from '@upstash/ratelimit'
import { Redis } from '@upstash/redis/cloudflare'
import { Hono, type MiddlewareHandler } from 'hono'
import { RedisStore, rateLimiter } from 'hono-rate-limiter'

/** What else there is, over bare Hono, as its own documentation shows it; which one, the variable PART says. */
const env = given as unknown as { readonly PART: string; readonly URL: string; readonly TOKEN: string }
const quota = 1_000_000_000
const redis = new Redis({ url: env.URL, token: env.TOKEN, enableTelemetry: false })

const app = new Hono()
app.get('/', (c) => c.text('ok'))
if (env.PART === '@upstash/ratelimit') {
  const limiter = new Ratelimit({ redis, limiter: Ratelimit.slidingWindow(quota, '1 m') })
  app.use(async (c, next) => {
    const { success } = await limiter.limit(c.req.header('cf-connecting-ip') ?? 'unknown')
    if (!success) return c.text('Too many requests', 429)
    await next()
    return undefined
  })
} else {
  // Its store loads its script when it is made, which Workers forbid outside of a request.
  let middleware: MiddlewareHandler | undefined
  app.use((c, next) => {
    middleware ??= rateLimiter({
      windowMs: 60_000,
      limit: quota,
      standardHeaders: 'draft-7',
      keyGenerator: (c) => c.req.header('cf-connecting-ip') ?? 'unknown',
      store: new RedisStore({ client: redis }),
    })
    return middleware(c, next)
  })
}
app.get('/check', (c) => c.json({ ok: true }))

export default app
