import '../../bench/support/self.ts'
import { startRedis } from '../system/upstash/differential.ts'

const { createLimiter, upstash } = await import('../../src/rate-limit/index.ts')
const { createRedis } = await import('../../src/redis/index.ts')
const { createUpstashApp, serveStandIn } = await import('../../src/local/index.ts')
const { accuracy } = await import('../unit/rate-limit/accuracy.ts')

/**
 * Ten thousand requests over twenty-five connections, for each algorithm, through HTTP; and a hundred thousand keys in
 * Redis, each with an end. On a real server as well where there is one.
 * @param count keys. Default 100,000.
 */
export async function run({ count = 100_000 }: { readonly count: number | undefined }): Promise<string> {
  const lines: string[] = []
  let clock = 1_790_000_000_123
  const standIn = await serveStandIn(createUpstashApp({ token: 't', now: () => clock }))
  const redis = await startRedis()
  try {
    const client = (url: string) => createRedis({ url, token: 't', timeout: '60 s' })
    for (const [name, check] of Object.entries(accuracy)) {
      const stores = Array.from({ length: 25 }, () => upstash(client(standIn.url)))
      await check(
        {
          stores,
          async advance(ms) {
            clock += ms
          },
        },
        name,
      )
      lines.push(`10,000 requests: ${name}`)
    }
    const real = redis && (await serveStandIn(createUpstashApp({ token: 't', redisUrl: redis.url })))
    const { url } = real ?? standIn
    try {
      const limiter = createLimiter({
        store: upstash(client(url)),
        timeout: 60_000,
        policies: { once: { quota: 1, window: '1 h', algorithm: 'fixed-window' } },
      })
      for (let i = 0; i < count; i += 100) {
        const requests = Array.from({ length: Math.min(100, count - i) }, (_, n) => ({
          policy: 'once',
          key: `${'\ud800'.repeat((i + n) % 3)}account:${i + n}\u0000`,
        }))
        if (!(await limiter.check(requests)).allowed) throw new Error(`Two of ${i} to ${i + 99} collide`)
      }
      const names = await client(url).keys('bw:rl:*')
      const pipeline = client(url).pipeline()
      for (const name of names) pipeline.pttl(name)
      const ends = (await pipeline.exec()) as number[]
      if (names.length !== count) throw new Error(`${names.length} keys of ${count}`)
      if (!ends.every((left) => left > 0 && left <= 3_600_000)) throw new Error('A key has no end')
      lines.push(
        `${count} keys on ${real ? 'a real Redis' : 'the stand-in'}: none meets another, every one ends`,
      )
    } finally {
      await real?.stop()
    }
  } finally {
    await standIn.stop()
    await redis?.stop()
  }
  return lines.join('\n')
}
