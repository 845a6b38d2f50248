import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Counts, emptyTally } from '../../../src/alerts/counts.ts'
import {
  binomialTail,
  type Channel,
  chanceOfJump,
  createAlerts,
  mail,
  memoryStore,
  type Notice,
  redisStore,
  report,
  slack,
  webhook,
} from '../../../src/alerts/index.ts'

const MINUTE = 60_000
const start = 20_000 * 1440 * MINUTE

/** A worker's life by the minute: so many requests and errors, then a look. */
function world(options: Partial<Parameters<typeof createAlerts>[0]> = {}) {
  const told: Notice[] = []
  const store = memoryStore()
  const clock = { now: start }
  const alerts = createAlerts({
    store,
    channels: [{ name: 'test', send: async (notice) => void told.push(notice) }],
    now: () => clock.now,
    sleep: async () => {},
    ...options,
  })
  const minute = async (requests: number, errors = 0, place = 2, route = 'GET /me') => {
    const tally = emptyTally()
    tally.requests = requests
    tally.errors = errors
    tally.durations[place] = requests
    const at = Math.floor(clock.now / MINUTE)
    if (requests > 0) await store.add(new Map([[at, new Map([[route, tally]])]]))
    clock.now = (at + 1) * MINUTE + 900
    return alerts.look()
  }
  const minutes = async (n: number, requests: number, errors = 0, place = 2) => {
    for (let i = 0; i < n; i++) await minute(requests, errors, place)
  }
  return { alerts, told, clock, minute, minutes, store }
}

describe('chance', () => {
  it('is the binomial tail, as summed by hand', () => {
    expect(binomialTail(0, 10, 0.5)).toBe(1)
    expect(binomialTail(10, 10, 0.5)).toBeCloseTo(1 / 1024, 12)
    expect(binomialTail(8, 10, 0.5)).toBeCloseTo(56 / 1024, 12)
    expect(binomialTail(3, 200, 0.001) / 0.001143).toBeCloseTo(1, 1)
  })

  it('is a probability, falls with more hits and rises with a higher rate', () => {
    const n = fc.integer({ min: 1, max: 5000 })
    fc.assert(
      fc.property(n, fc.double({ min: 0.0001, max: 0.9999, noNaN: true }), fc.nat(), (tries, p, pick) => {
        const k = pick % tries
        const tail = binomialTail(k, tries, p)
        expect(tail).toBeGreaterThan(0)
        expect(tail).toBeLessThanOrEqual(1)
        expect(binomialTail(k + 1, tries, p)).toBeLessThanOrEqual(tail * (1 + 1e-9))
        expect(binomialTail(k, tries, Math.min(0.99999, p * 1.1))).toBeGreaterThanOrEqual(tail * (1 - 1e-9))
      }),
      { numRuns: 300 },
    )
  })

  it('explains the same rate, and not a twentyfold one', () => {
    expect(chanceOfJump({ hits: 10, tries: 1000 }, { hits: 600, tries: 60_000 }, 1)).toBeGreaterThan(0.3)
    expect(chanceOfJump({ hits: 200, tries: 1000 }, { hits: 600, tries: 60_000 }, 3)).toBeLessThan(1e-30)
    expect(chanceOfJump({ hits: 0, tries: 10 }, { hits: 0, tries: 10 }, 3)).toBe(1)
    // Nothing was seen before: nothing can be said.
    expect(chanceOfJump({ hits: 50, tries: 60 }, { hits: 0, tries: 0 }, 3)).toBe(1)
  })
})

describe('what is told', () => {
  it('is told once, and once when it is over', async () => {
    const { told, minutes } = world()
    await minutes(60, 100)
    await minutes(8, 100, 60)
    expect(told.map(({ key, status }) => `${key} ${status}`).sort()).toEqual([
      'error-rate firing',
      'jump firing',
    ])
    await minutes(15, 100)
    expect(
      told
        .filter(({ status }) => status === 'resolved')
        .map(({ key }) => key)
        .sort(),
    ).toEqual(['error-rate', 'jump'])
    expect(told.length).toBe(4)
  })

  it('is not that five of six requests at night failed', async () => {
    const { told, minutes } = world()
    await minutes(60, 2)
    await minutes(5, 6, 5)
    expect(told.filter(({ rule }) => rule === 'error-rate')).toEqual([])
  })

  it('does not get used to a failure that lasts', async () => {
    const { told, minutes } = world()
    await minutes(60, 300)
    await minutes(180, 300, 100)
    expect(told.filter(({ status }) => status === 'resolved')).toEqual([])
  })

  it('names the route when one of many fails', async () => {
    const { told, alerts, store, clock } = world({ rules: { errorRate: false } })
    for (let i = 0; i < 62; i++) {
      const busy = { ...emptyTally(), requests: 5000, errors: 100 }
      const rare = { ...emptyTally(), requests: 20, errors: i >= 60 ? 20 : 0 }
      const at = Math.floor(clock.now / MINUTE)
      await store.add(
        new Map([
          [
            at,
            new Map([
              ['GET /busy', busy],
              ['POST /rare', rare],
            ]),
          ],
        ]),
      )
      clock.now = (at + 1) * MINUTE + 900
      await alerts.look()
    }
    expect(told).toMatchObject([{ key: 'jump POST /rare', title: 'Errors have jumped at POST /rare' }])
  })

  it('is a silence that chance does not explain, and its end', async () => {
    const { told, minutes } = world()
    await minutes(60, 60)
    await minutes(2, 0)
    expect(told).toEqual([])
    await minutes(3, 0)
    expect(told).toMatchObject([{ rule: 'silence', status: 'firing' }])
    await minutes(6, 60)
    expect(told.at(-1)).toMatchObject({ rule: 'silence', status: 'resolved' })
  })

  it('is no silence where requests are rare', async () => {
    const { told, minute } = world()
    for (let i = 0; i < 600; i++) await minute(i % 10 === 0 ? 1 : 0)
    expect(told).toEqual([])
  })

  it('is a p95 above the threshold', async () => {
    const { told, minutes } = world()
    await minutes(10, 100)
    await minutes(6, 100, 0, 11)
    expect(told).toMatchObject([{ rule: 'latency', status: 'firing' }])
  })

  it('is dead letters and a backup that is too old, and nothing while they cannot be asked', async () => {
    let dead: number | undefined = 0
    let last: Date | undefined = new Date(start)
    let complaints = 0
    const { told, minutes, clock } = world({
      deadLetters: async () => {
        if (dead === undefined) throw new Error('the database is away')
        return dead
      },
      lastBackup: async () => last,
      reporter: { captureException: () => void complaints++, captureMessage: () => {} },
    })
    await minutes(10, 5)
    dead = 3
    clock.now += 27 * 3_600_000
    await minutes(12, 5)
    expect(told.map(({ rule }) => rule).sort()).toEqual(['backup', 'dead-letters'])
    dead = undefined
    await minutes(12, 5)
    expect(told.length).toBe(2)
    expect(complaints).toBe(12)
    dead = 0
    last = new Date(clock.now)
    await minutes(80, 5)
    expect(
      told
        .map(({ rule, status }) => `${rule} ${status}`)
        .slice(2)
        .sort(),
    ).toEqual(['backup resolved', 'dead-letters resolved'])
  })

  it('is told by one of several crons of the same minute', async () => {
    const { told, alerts, minutes, clock, store } = world()
    await minutes(60, 100)
    const tally = emptyTally()
    tally.requests = 100
    tally.errors = 90
    await store.add(new Map([[Math.floor(clock.now / MINUTE), new Map([['GET /me', tally]])]]))
    clock.now += MINUTE
    await Promise.all([alerts.look(), alerts.look(), alerts.look()])
    expect(told.filter(({ rule }) => rule === 'jump').length).toBe(1)
  })
})

describe('channels', () => {
  const failing = (name: string, times = Number.POSITIVE_INFINITY): Channel & { tries: number } => ({
    name,
    tries: 0,
    async send() {
      if (this.tries++ < times) throw new Error('refused')
    },
  })
  const outage = async (options: Parameters<typeof world>[0]) => {
    const it = world(options)
    await it.minutes(60, 100)
    await it.minute(100, 90)
    return it
  }

  it('are tried again, and need no fallback then', async () => {
    const shaky = failing('shaky', 1)
    const spare = failing('spare', 0)
    await outage({ channels: [shaky], fallback: [spare], rules: { errorRate: false } })
    expect([shaky.tries, spare.tries]).toEqual([2, 0])
  })

  it('hand over to the fallback when one cannot be reached, and say so', async () => {
    const broken = failing('slack')
    const fine = failing('mail', 0)
    const spare = failing('spare', 0)
    const said: string[] = []
    await outage({
      channels: [broken, fine],
      fallback: [spare],
      rules: { errorRate: false },
      reporter: { captureException: () => {}, captureMessage: (text) => void said.push(text) },
    })
    expect([broken.tries, fine.tries, spare.tries]).toEqual([3, 1, 1])
    expect(said).toEqual(['Alert channels that could not be reached: slack'])
  })

  it('that all fail get the notice again with the next look, until somebody has it', async () => {
    const broken = failing('only', 5)
    const { minutes } = await outage({ channels: [broken], rules: { errorRate: false } })
    expect(broken.tries).toBe(3)
    await minutes(1, 100, 90)
    expect(broken.tries).toBe(6)
    await minutes(1, 100, 90)
    expect(broken.tries).toBe(6)
  })

  it('say what happened, each in its own form', async () => {
    const posts: { url: string; body: string; headers: Record<string, string> }[] = []
    const mails: { to: string; subject: string; key: string | undefined }[] = []
    const messages: unknown[] = []
    const send = (async (url: string, init: RequestInit) => {
      posts.push({ url, body: String(init.body), headers: init.headers as Record<string, string> })
      return new Response('ok')
    }) as typeof fetch
    await outage({
      service: 'shop <eu>',
      rules: { errorRate: false },
      channels: [
        webhook({ url: 'https://hooks.example/a', secret: 'a-secret', fetch: send }),
        slack({ url: 'https://hooks.slack.example/b', fetch: send }),
        mail({
          to: ['ops@example.com'],
          mailer: {
            send: async ({ to, subject }, options) => {
              mails.push({ to, subject, key: options?.idempotencyKey })
              return { id: '1' }
            },
          },
        }),
        report({ captureException: () => {}, captureMessage: (...args) => void messages.push(args) }),
      ],
    })
    const hook = posts.find(({ url }) => url.includes('hooks.example'))
    const chat = posts.find(({ url }) => url.includes('slack'))
    expect(JSON.parse(hook?.body ?? '')).toMatchObject({
      service: 'shop <eu>',
      rule: 'jump',
      status: 'firing',
    })
    expect(hook?.headers['x-breakwater-signature']).toMatch(/^t=\d+,v1=[\da-f]{64}$/)
    expect(JSON.parse(chat?.body ?? '').text).toContain('*shop &lt;eu&gt;*: Errors have jumped')
    expect(mails).toMatchObject([{ to: 'ops@example.com', subject: '[shop <eu>] Errors have jumped' }])
    expect(mails[0]?.key).toContain('alert-jump-firing')
    expect(messages).toMatchObject([
      ['Errors have jumped', { fingerprint: ['alert', 'jump'], level: 'error' }],
    ])
  })

  it('are refused when their address is none, without repeating it', () => {
    for (const make of [webhook, slack]) {
      expect(() => make({ url: 'hooks.example/secret' })).toThrow(TypeError)
      expect(() => make({ url: 'hooks.example/secret' })).not.toThrow(/secret/)
    }
  })
})

describe('counting', () => {
  it('takes one command for a minute’s counts, whatever the number of requests and routes', async () => {
    const evals: unknown[][] = []
    const redis = {
      eval: async (...args: unknown[]) => void evals.push(args),
      get: async () => null,
      hgetall: async () => null,
      set: async () => 'OK',
    }
    const clock = { now: start + 1000 }
    const behind: Promise<unknown>[] = []
    let wake = (): void => {}
    const slow = createAlerts({
      store: redisStore(redis),
      channels: [],
      now: () => clock.now,
      sleep: () =>
        new Promise<void>((resolve) => {
          wake = resolve
        }),
    })
    for (let i = 0; i < 500; i++)
      slow.count(`GET /${i % 20}`, i % 50 === 0, i, (promise) => void behind.push(promise))
    expect(behind.length).toBe(1)
    wake()
    await Promise.all(behind)
    expect(evals.length).toBe(1)
  })

  it('keeps what could not be delivered and sends it with the next, once', async () => {
    const store = memoryStore()
    let down = true
    const alerts = createAlerts({
      store: {
        ...store,
        add: async (minutes) => (down ? Promise.reject(new Error('down')) : store.add(minutes)),
      },
      channels: [],
      now: () => start,
    })
    for (let i = 0; i < 7; i++) alerts.count('GET /', false, 5, (promise) => void promise.catch(() => {}))
    await alerts.flush()
    down = false
    alerts.count('GET /', true, 5, () => {})
    await alerts.flush()
    await alerts.flush()
    const { tallies } = await store.read([start / MINUTE], 1)
    expect(tallies[0]?.get('GET /')).toMatchObject({ requests: 8, errors: 1 })
  })

  it('is bounded: what comes after the hundredth route is counted together', () => {
    const counts = new Counts()
    for (let i = 0; i < 5000; i++) counts.count(`GET /${i}`, false, 1, start)
    const routes = [...counts.take().values()][0]
    expect(routes?.size).toBe(101)
    expect(routes?.get('(other)')?.requests).toBe(4900)
  })

  it('survives its way through Redis’s strings', async () => {
    const hashes = new Map<string, Record<string, string>>()
    const redis = {
      eval: async (_script: string, [key = '']: string[], args: (string | number)[]) => {
        const hash = hashes.get(key) ?? {}
        hashes.set(key, hash)
        for (let i = 0; i < args.length; i += 2)
          hash[String(args[i])] = String(Number(hash[String(args[i])] ?? 0) + Number(args[i + 1]))
      },
      get: async () => null,
      hgetall: async (key: string) => hashes.get(key) ?? null,
      set: async () => 'OK',
    }
    const store = redisStore(redis)
    const tally = { ...emptyTally(), requests: 5, errors: 2 }
    tally.durations[3] = 4
    tally.durations[12] = 1
    await store.add(new Map([[1, new Map([['GET /a b/:id', tally]])]]))
    await store.add(new Map([[1, new Map([['GET /a b/:id', tally]])]]))
    const { tallies } = await store.read([1], 1)
    expect(tallies[0]?.get('GET /a b/:id')).toMatchObject({ requests: 10, errors: 4 })
    expect(tallies[0]?.get('GET /a b/:id')?.durations[3]).toBe(8)
  })
})

it('refuses rules that make no sense when built', () => {
  const build = (rules: object) => () => createAlerts({ store: memoryStore(), channels: [], rules })
  expect(build({ errorRate: { above: 5 } })).toThrow(TypeError)
  expect(build({ jump: { factor: 0 } })).toThrow(TypeError)
  expect(build({ calmMinutes: -1 })).toThrow(TypeError)
})
