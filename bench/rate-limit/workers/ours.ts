import { env as given } from 'cloudflare:workers'
import { limit, rateLimit, upstash } from 'breakwater/rate-limit'
import { createRedis } from 'breakwater/redis'
import { Hono } from 'hono'

/** Our limiter over bare Hono, with as many policies as the variable PART says; 0 is bare Hono. Nobody is refused. */
const env = given as unknown as { readonly PART: string; readonly URL: string; readonly TOKEN: string }
const policies = Number(env.PART)
const policy = { quota: 1_000_000_000, window: '1 m' } as const

const app = new Hono()
app.get('/', (c) => c.text('ok'))
if (policies > 0) {
  const names = ['a', 'b', 'c'].slice(0, policies - 1)
  const limiter = {
    store: upstash(createRedis({ url: env.URL, token: env.TOKEN })),
    // Slow is slow here, and not decided otherwise.
    timeout: 10_000,
    secret: 'a-secret-that-is-long-enough-for-the-bench-0123456789',
    policies: {
      default: { ...policy, penalty: { after: 100 } },
      ...Object.fromEntries(names.map((name) => [name, policy])),
    },
  }
  app.use(rateLimit({ limiter }))
  for (const name of names) app.use(limit(name))
}
app.get('/check', (c) => c.json({ ok: true }))

export default app
