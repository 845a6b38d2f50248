import {
  type HealthCheck,
  type HealthOptions,
  health,
  postgresCheck,
  queueCheck,
  r2Check,
  redisCheck,
} from 'breakwater/health'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { breaker, resetBreakers } from '../../../src/core/breaker.ts'

const TOKEN = 'a-token-of-operations'
const passing: HealthCheck = { run: async () => {} }
const failing: HealthCheck = {
  run: async () => {
    throw Object.assign(new TypeError('postgres://user:hunter2@host/db refused'), { code: 'ECONNREFUSED' })
  },
}
const hanging: HealthCheck = { run: () => new Promise(() => {}) }

async function ask(options: Partial<HealthOptions>, path = '/readyz', token?: string) {
  const app = new Hono().route('/', health({ checks: {}, token: TOKEN, ...options }))
  const headers = token === undefined ? undefined : { Authorization: `Bearer ${token}` }
  const reply = await app.request(path, headers && { headers })
  const text = await reply.text()
  return { status: reply.status, headers: reply.headers, text, body: JSON.parse(text) }
}

describe('/livez', () => {
  it('passes whatever the dependencies do', async () => {
    const { status, headers, body } = await ask({ checks: { db: failing } }, '/livez')
    expect([status, body]).toEqual([200, { status: 'pass' }])
    expect(headers.get('content-type')).toBe('application/health+json')
    expect(headers.get('cache-control')).toBe('no-store')
  })
})

describe('/readyz', () => {
  it('passes when every dependency answers', async () => {
    const { status, body, headers } = await ask({ checks: { db: passing, redis: passing } })
    expect([status, body]).toEqual([200, { status: 'pass' }])
    expect(headers.get('retry-after')).toBeNull()
  })

  it('is 503 with Retry-After when a critical dependency is out', async () => {
    const { status, body, headers } = await ask({
      checks: { db: failing, redis: passing },
      cacheFor: '2500 ms',
    })
    expect([status, body]).toEqual([503, { status: 'fail' }])
    expect(headers.get('retry-after')).toBe('3')
    expect(headers.get('content-type')).toBe('application/health+json')
  })

  it('warns with 200 when only something that is not critical is out', async () => {
    const { status, body } = await ask({ checks: { db: passing, mail: { ...failing, critical: false } } })
    expect([status, body]).toEqual([200, { status: 'warn' }])
  })

  it('answers at the deadline when a dependency hangs, and says which', async () => {
    const { status, body } = await ask(
      { checks: { db: hanging, redis: passing }, deadline: 30 },
      '/readyz',
      TOKEN,
    )
    expect(status).toBe(503)
    expect(body.checks['db:responseTime'][0]).toMatchObject({
      status: 'fail',
      output: 'no answer within 30 ms',
    })
    expect(body.checks['redis:responseTime'][0].status).toBe('pass')
  })

  it('tells checks to stop at the deadline', async () => {
    let aborted = false
    const polite: HealthCheck = {
      run: (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true
            reject(signal.reason)
          })
        }),
    }
    expect((await ask({ checks: { db: polite }, deadline: 20 })).status).toBe(503)
    expect(aborted).toBe(true)
  })

  it('asks all at once', async () => {
    let running = 0
    let most = 0
    const slow: HealthCheck = {
      async run() {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 10))
        running--
      },
    }
    await ask({ checks: { a: slow, b: slow, c: slow } })
    expect(most).toBe(3)
  })

  it('survives a check that throws before it awaits', async () => {
    const rude = {
      run: (): Promise<void> => {
        throw new Error('at once')
      },
    } as HealthCheck
    const { status, body } = await ask({ checks: { rude, fine: passing } }, '/readyz', TOKEN)
    expect(status).toBe(503)
    expect(body.checks['fine:responseTime'][0].status).toBe('pass')
  })
})

describe('details', () => {
  const checks = {
    db: failing,
    backup: {
      run: async () => ({ status: 'warn', observedValue: 30, observedUnit: 'h', output: 'old' }),
    } as HealthCheck,
  }

  it.each([undefined, '', 'wrong', `${TOKEN}x`, TOKEN.slice(1), 'undefined'])(
    'are not for %j',
    async (token) => {
      expect((await ask({ checks }, '/readyz', token)).body).toEqual({ status: 'fail' })
    },
  )

  it('are for nobody when there is no token', async () => {
    for (const token of ['', 'undefined', TOKEN]) {
      expect((await ask({ checks, token: () => undefined }, '/readyz', token)).body).toEqual({
        status: 'fail',
      })
      expect((await ask({ checks, token: () => '' }, '/readyz', token)).body).toEqual({ status: 'fail' })
    }
  })

  it('are for who holds any of the tokens, in the form of the draft', async () => {
    const { body } = await ask(
      {
        checks,
        token: ['new-token', TOKEN],
        release: '1.2.3',
        breakers: () => ({ resend: { state: 'open' }, redis: { state: 'closed' } }),
      },
      '/readyz',
      TOKEN,
    )
    expect(body).toMatchObject({
      status: 'fail',
      releaseId: '1.2.3',
      checks: {
        'db:responseTime': [
          {
            componentType: 'component',
            status: 'fail',
            observedUnit: 'ms',
            output: 'TypeError (ECONNREFUSED)',
          },
        ],
        backup: [{ status: 'warn', observedValue: 30, observedUnit: 'h', output: 'old' }],
        'resend:breaker': [{ status: 'warn', observedValue: 'open' }],
        'redis:breaker': [{ status: 'pass', observedValue: 'closed' }],
      },
    })
    expect(new Date(body.checks['db:responseTime'][0].time).getTime()).toBeGreaterThan(0)
  })

  it('never hold what an error says, since it may hold a password', async () => {
    expect((await ask({ checks }, '/readyz', TOKEN)).text).not.toContain('hunter2')
  })

  it('show an open breaker as a warning when every check passes', async () => {
    const { status, body } = await ask({
      checks: { db: passing },
      breakers: () => ({ mail: { state: 'open' } }),
    })
    expect([status, body]).toEqual([200, { status: 'warn' }])
  })
})

describe('many probes', () => {
  function counting(ms: number) {
    const counter = { calls: 0 }
    const check: HealthCheck = {
      async run() {
        counter.calls++
        await new Promise((resolve) => setTimeout(resolve, ms))
      },
    }
    return { counter, check }
  }

  it('ask the dependencies once, together or one after the other', async () => {
    const { counter, check } = counting(30)
    const app = health({ checks: { db: check } })
    const replies = await Promise.all(Array.from({ length: 50 }, () => app.request('/readyz')))
    expect(replies.map((reply) => reply.status)).toEqual(Array(50).fill(200))
    await app.request('/readyz')
    expect(counter.calls).toBe(1)
  })

  it('ask again when the answer is old', async () => {
    const { counter, check } = counting(0)
    const app = health({ checks: { db: check }, cacheFor: 20 })
    await app.request('/readyz')
    await new Promise((resolve) => setTimeout(resolve, 40))
    await app.request('/readyz')
    expect(counter.calls).toBe(2)
  })

  it('see recovery as soon as the answer is old', async () => {
    let out = true
    const check: HealthCheck = {
      run: async () => {
        if (out) throw new Error('out')
      },
    }
    const app = health({ checks: { db: check }, cacheFor: 20 })
    expect((await app.request('/readyz')).status).toBe(503)
    out = false
    expect((await app.request('/readyz')).status).toBe(503)
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect((await app.request('/readyz')).status).toBe(200)
  })
})

describe('the ready-made checks', () => {
  const result = async (check: HealthCheck) => (await ask({ checks: { it: check } })).body.status

  it('pass when the dependency answers as it should', async () => {
    const asked: unknown[] = []
    const database = { execute: async (query: string) => asked.push(query) }
    expect(await result(postgresCheck(database))).toBe('pass')
    expect(await result(redisCheck({ ping: async () => 'PONG' }))).toBe('pass')
    expect(await result(r2Check({ head: async () => null }))).toBe('pass')
    expect(await result(r2Check(() => ({ head: async () => null })))).toBe('pass')
    expect(await result(queueCheck({ send: async () => {} }))).toBe('pass')
    expect(asked).toEqual(['select 1'])
  })

  it('fail when it does not, or is not there', async () => {
    const no = async () => Promise.reject(new Error('no'))
    expect(await result(postgresCheck({ execute: no }))).toBe('fail')
    expect(await result(redisCheck({ ping: async () => 'LOADING' }))).toBe('fail')
    expect(await result(r2Check({ head: no }))).toBe('fail')
    expect(await result(r2Check(() => undefined as never))).toBe('fail')
    expect(await result(queueCheck(() => undefined))).toBe('fail')
    expect(await result(r2Check({ head: no }, { critical: false }))).toBe('warn')
  })
})

it.each<[string, Partial<HealthOptions>]>([
  ['a name with a colon', { checks: { 'a:b': passing } }],
  ['something that is no check', { checks: { a: {} as never } }],
  ['no deadline', { deadline: 0 }],
  ['no time to cache', { cacheFor: 0 }],
  ['a length of time that is none', { deadline: 'soon' as never }],
  ['an empty token', { token: '' }],
  ['an empty token in a list', { token: ['x', ''] }],
])('throws when built with %s', (_, options) => {
  expect(() => health({ checks: {}, ...options })).toThrow(TypeError)
})

it('shows every breaker of the isolate unless told otherwise', async () => {
  const circuit = breaker('mail-of-this-test')
  expect(circuit.state).toBe('closed')
  const { body } = await ask({ checks: {} }, '/readyz', TOKEN)
  expect(body.checks['mail-of-this-test:breaker']).toMatchObject([
    { status: 'pass', observedValue: 'closed' },
  ])
  resetBreakers()
})
