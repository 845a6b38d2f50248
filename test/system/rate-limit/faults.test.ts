import { problems } from 'breakwater/core'
import { createLimiter, rateLimit, upstash } from 'breakwater/rate-limit'
import { createRedis } from 'breakwater/redis'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type StandIn, serveStandIn } from '../../../src/local/server.ts'
import { createUpstashApp } from '../../../src/local/upstash/index.ts'

let standIn: StandIn
beforeAll(async () => {
  standIn = await serveStandIn(createUpstashApp({ token: 't' }))
})
afterAll(() => standIn.stop())
beforeEach(() => fault(undefined))

async function fault(what: object | undefined): Promise<void> {
  const init = what === undefined ? { method: 'DELETE' } : { method: 'PUT', body: JSON.stringify(what) }
  expect((await fetch(`${standIn.url}/__breakwater/faults`, init)).ok).toBe(true)
}

const policies = {
  open: { quota: 4, window: '1 m', onStoreFailure: 'open' },
  closed: { quota: 4, window: '1 m', onStoreFailure: 'closed' },
  local: { quota: 4, window: '1 m', onStoreFailure: 'local' },
} as const

let serial = 0
/** An app on the stand-in, or on an address where nothing listens. */
function make(url = standIn.url) {
  const told: unknown[] = []
  const limiter = createLimiter({
    store: upstash(createRedis({ url, token: 't' })),
    policies,
    prefix: `faults-${serial++}`,
    onStoreFailure: (error) => void told.push(error),
  })
  const app = (policy: 'open' | 'closed' | 'local') =>
    problems(
      new Hono().use(rateLimit({ limiter, policy: policy as 'default' })).get('/', (c) => c.text('ok')),
    )
  const apps = { open: app('open'), closed: app('closed'), local: app('local') }
  return {
    told,
    limiter,
    /** Status and milliseconds. */
    async ask(policy: keyof typeof apps): Promise<readonly [number, number]> {
      const began = performance.now()
      const { status } = await apps[policy].request('/', { headers: { 'cf-connecting-ip': '203.0.113.7' } })
      return [status, performance.now() - began]
    },
  }
}

const FAULTS = {
  hangs: { hang: true },
  'answers 500': { status: 500 },
  'answers garbage': { status: 200, body: '<html>out of order</html>' },
  'answers JSON of another kind': { status: 200, body: '[{"result":"PONG"}]' },
  'closes the connection': { drop: 'before' },
  'loses its reply': { drop: 'after' },
  'is slow by a second': { latency: 1000 },
  'refuses for its own load': { status: 429, headers: { 'retry-after': '60' } },
} as const

describe('when Redis', () => {
  it.each(Object.entries(FAULTS))(
    '%s, each policy has its own word, and tells of it once',
    async (_, what) => {
      const { ask, told, limiter } = make()
      await limiter.check([{ policy: 'open', key: 'warm' }])
      await fault(what)
      const status = async (policy: 'open' | 'closed' | 'local') => (await ask(policy))[0]
      for (let i = 0; i < 6; i++) expect(await status('open')).toBe(200)
      for (let i = 0; i < 6; i++) expect(await status('closed')).toBe(503)
      // Half of the quota is this isolate's share.
      const local: number[] = []
      for (let i = 0; i < 4; i++) local.push(await status('local'))
      expect(local).toEqual([200, 200, 429, 429])
      expect(told.length).toBe(1)
      await fault(undefined)
      await expect
        .poll(async () => (await limiter.check([{ policy: 'open', key: 'k' }])).by, { timeout: 5000 })
        .toBe('store')
      expect(await status('closed')).toBe(200)
    },
  )

  it('is not there at all, the word is given at once', async () => {
    const { ask, told } = make('http://127.0.0.1:1')
    expect((await ask('open'))[0]).toBe(200)
    expect((await ask('closed'))[0]).toBe(503)
    expect((await ask('local'))[0]).toBe(200)
    expect(told.length).toBe(1)
  })

  it.each(['hangs', 'is slow by a second'] as const)(
    '%s, nobody waits for it much longer than 150 ms',
    async (name) => {
      const { ask } = make()
      await fault(FAULTS[name])
      for (const policy of ['open', 'closed', 'local'] as const) {
        const [, ms] = await ask(policy)
        // The margin is the machine's.
        expect(ms).toBeGreaterThan(100)
        expect(ms).toBeLessThan(900)
      }
      // By now the breaker is open.
      const [, ms] = await ask('open')
      expect(ms).toBeLessThan(140)
    },
  )

  it('is out and a thousand ask at once, it is told once', async () => {
    const { limiter, told } = make()
    await fault({ status: 500 })
    const all = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => limiter.check([{ policy: 'open', key: `${i}` }])),
    )
    expect(all.every(({ allowed }) => allowed)).toBe(true)
    expect(told.length).toBe(1)
    // What is told carries neither the token nor a key.
    expect(JSON.stringify(told, Object.getOwnPropertyNames(told[0]))).not.toMatch(/203\.0\.113|"t"/)
  })
})
