import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Ratelimit } from '@upstash/ratelimit'
import { createLimiter, type RateLimitStore, upstash } from 'breakwater/rate-limit'
import { createRedis } from 'breakwater/redis'
import { chargeFor, rateLimitStoreContract, type StoreUnderTest } from 'breakwater/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type StandIn, serveStandIn } from '../../../src/local/server.ts'
import { createUpstashApp } from '../../../src/local/upstash/index.ts'
import { accuracy } from '../../unit/rate-limit/accuracy.ts'

function contract(make: () => Promise<StoreUnderTest>, test: typeof it | typeof it.concurrent = it): void {
  for (const { name, run } of rateLimitStoreContract(make)) test(name, run)
}

const client = (standIn: StandIn) =>
  createRedis({ url: standIn.url, token: 't', retries: 0, timeout: '30 s' })

describe('the Upstash store on the stand-in', () => {
  let clock = 1_790_000_000_123
  let standIn: StandIn
  const sent: string[] = []
  beforeAll(async () => {
    const app = createUpstashApp({ token: 't', now: () => clock })
    standIn = await serveStandIn({
      ...app,
      name: app.name,
      fetch: async (request) => {
        sent.push(await request.clone().text())
        return app.fetch(request)
      },
      close: () => app.close?.() ?? Promise.resolve(),
    })
  })
  afterAll(() => standIn.stop())

  contract(async () => ({
    store: upstash(client(standIn)),
    async advance(ms) {
      clock += ms
    },
  }))

  describe('a thousand requests over twenty-five connections at once', () => {
    for (const [name, run] of Object.entries(accuracy)) {
      it(name, () =>
        run(
          {
            stores: Array.from({ length: 25 }, () => upstash(client(standIn))),
            perWave: 25,
            async advance(ms) {
              clock += ms
            },
          },
          name,
        ),
      )
    }
  })

  it('asks once for all policies, and shares the request with what else is sent in the tick', async () => {
    const redis = client(standIn)
    const limiter = createLimiter({ store: upstash(redis), timeout: 5000 })
    const requests = [
      { policy: 'default', key: 'ip:192.0.2.1' },
      { policy: 'credentials', key: 'ip:192.0.2.1' },
      { policy: 'credentials', key: 'account:a' },
    ]
    await limiter.check(requests)
    sent.length = 0
    const [decision] = await Promise.all([limiter.check(requests), redis.getex('session:1')])
    expect(decision.allowed).toBe(true)
    expect(decision.outcomes.map(({ remaining }) => remaining)).toEqual([298, 8, 8])
    expect(sent.length).toBe(1)
    expect(JSON.parse(sent[0] ?? '').map((command: string[]) => command[0])).toEqual(['evalsha', 'getex'])
  })

  it('loads its script again when the server has forgotten it', async () => {
    const redis = client(standIn)
    const store = upstash(redis)
    const charge = chargeFor('p', { quota: 9, window: '1 m' }, `forgotten-${clock}`)
    await store.take([charge])
    await redis.scriptFlush()
    expect((await store.take([charge]))[0]?.remaining).toBe(7)
  })

  it('answers by the policy’s word while the store hangs, and when it is back', async () => {
    const limiter = createLimiter({ store: upstash(client(standIn)) })
    const ask = (policy: string) => limiter.check([{ policy, key: 'someone' }])
    await ask('webhook')
    const faults = `${standIn.url}/__breakwater/faults`
    const told = await fetch(faults, { method: 'PUT', body: JSON.stringify({ hang: true }) })
    expect(told.status).toBe(200)
    try {
      expect(await ask('webhook')).toMatchObject({ allowed: true, by: 'outage' })
      expect(await ask('export')).toMatchObject({ allowed: false, unavailable: true })
      expect(await ask('credentials')).toMatchObject({ allowed: true, by: 'outage' })
    } finally {
      await fetch(faults, { method: 'DELETE' })
    }
    await expect.poll(async () => (await ask('webhook')).by, { timeout: 5000 }).toBe('store')
  })
})

describe('against @upstash/ratelimit', () => {
  const W = 8192
  let standIn: StandIn
  beforeAll(async () => {
    standIn = await serveStandIn(createUpstashApp({ token: 't', now: () => Date.now() }))
    vi.useFakeTimers({ toFake: ['Date'] })
  })
  afterAll(async () => {
    vi.useRealTimers()
    await standIn.stop()
  })

  let run = 0
  /** Offsets in milliseconds at which both are asked for one unit. */
  async function compare(
    kind: 'fixed-window' | 'sliding-window' | 'token-bucket',
    offsets: number[],
  ): Promise<void> {
    const start = W * (200_000_000 + 1000 * ++run)
    const redis = client(standIn)
    const theirs = new Ratelimit({
      redis,
      prefix: `theirs${run}`,
      ephemeralCache: false,
      limiter:
        kind === 'fixed-window'
          ? Ratelimit.fixedWindow(5, `${W} ms`)
          : kind === 'sliding-window'
            ? Ratelimit.slidingWindow(5, `${W} ms`)
            : Ratelimit.tokenBucket(1, `${W / 8} ms`, 3),
    })
    const ours = upstash(redis)
    const charge = chargeFor(
      'p',
      kind === 'token-bucket'
        ? { algorithm: kind, quota: 8, window: W, burst: 3 }
        : { algorithm: kind, quota: 5, window: W },
      `ours${run}`,
    )
    for (const offset of offsets) {
      vi.setSystemTime(start + offset)
      const theirAnswer = await theirs.limit('k')
      const [ourAnswer] = await ours.take([charge])
      expect([offset, ourAnswer?.allowed, ourAnswer?.remaining]).toEqual([
        offset,
        theirAnswer.success,
        Math.max(0, theirAnswer.remaining),
      ])
    }
  }
  const times = (values: fc.Arbitrary<number>) =>
    fc.array(values, { minLength: 5, maxLength: 30 }).map((list) => list.sort((a, b) => a - b))

  it('decides as its fixed window does, where windows begin together', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(times(fc.integer({ min: 0, max: W - 1 })), { minLength: 1, maxLength: 3 }),
        (windows) =>
          compare(
            'fixed-window',
            windows.flatMap((w, i) => [0, ...w].map((at) => i * W + at)),
          ),
      ),
      { numRuns: 12 },
    )
  })

  it('decides as its sliding window does', async () => {
    await fc.assert(
      fc.asyncProperty(times(fc.integer({ min: 0, max: 3 * W })), (offsets) =>
        compare('sliding-window', offsets),
      ),
      { numRuns: 25 },
    )
  })

  it('decides as its token bucket does, where its whole refills and our trickle meet', async () => {
    await fc.assert(
      fc.asyncProperty(times(fc.integer({ min: 0, max: 20 })), (offsets) =>
        compare('token-bucket', [0, ...offsets.map((n) => (n * W) / 8)]),
      ),
      { numRuns: 25 },
    )
  })
})

/** What a server answers to a command that Upstash does not offer. */
async function inline(port: number, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.end(`${command}\r\nQUIT\r\n`)
  return Buffer.concat(await socket.toArray()).toString()
}

const hasRedis = (() => {
  try {
    execFileSync('redis-server', ['--version'])
    return true
  } catch {
    return false
  }
})()

describe.runIf(hasRedis)('the Upstash store on a real Redis', () => {
  let server: ChildProcess
  let port: number
  let standIn: StandIn
  beforeAll(async () => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    port = (probe.address() as { port: number }).port
    probe.close()
    server = spawn('redis-server', [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
    ])
    await new Promise<void>((resolve) => {
      server.stdout?.on('data', (text) => String(text).includes('Ready to accept') && resolve())
    })
    standIn = await serveStandIn(createUpstashApp({ token: 't', redisUrl: `redis://127.0.0.1:${port}` }))
  })
  afterAll(async () => {
    await standIn?.stop()
    server?.kill()
  })

  contract(
    async () => ({
      store: upstash(client(standIn)),
      advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    }),
    it.concurrent,
  )

  it('gives out a quota to the unit, when a thousand ask over twenty-five connections at once', async () => {
    const stores = Array.from({ length: 25 }, () => upstash(client(standIn)))
    for (const algorithm of ['fixed-window', 'sliding-window', 'token-bucket', 'concurrency'] as const) {
      // So long a window that nothing trickles back while they ask.
      const charge = chargeFor('p', { quota: 97, window: '400 d', algorithm }, `race-${algorithm}`)
      const asked = Array.from({ length: 1000 }, async (_, i) => {
        const [outcome] = await (stores[i % 25] as RateLimitStore).take([{ ...charge, lease: i + 1 }])
        return outcome?.allowed
      })
      expect((await Promise.all(asked)).filter(Boolean).length).toBe(97)
    }
  })

  it('spends one TIME, one MGET and one SET for each policy', async () => {
    const store = upstash(client(standIn))
    const charges = ['a', 'b', 'c', 'd'].map((key) =>
      chargeFor(key, { quota: 9, window: '1 m' }, `calls-${key}`),
    )
    const counts = (text: string) =>
      Object.fromEntries(
        [...text.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(([, name, count]) => [name, Number(count)]),
      )
    await store.take(charges)
    for (const policies of [1, 2, 4]) {
      await inline(port, 'CONFIG RESETSTAT')
      await store.take(charges.slice(0, policies))
      expect(counts(await inline(port, 'INFO commandstats'))).toMatchObject({
        evalsha: 1,
        time: 1,
        mget: 1,
        set: policies,
      })
    }
  })
})
