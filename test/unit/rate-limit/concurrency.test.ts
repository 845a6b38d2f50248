import { BreakwaterError, problems } from 'breakwater/core'
import { createLimiter, hold, memory, type RateLimitEnv, rateLimit } from 'breakwater/rate-limit'
import { Hono } from 'hono'
import { describe, expect, it, vi } from 'vitest'

const policies = {
  reports: { quota: 2, window: '1 m', algorithm: 'concurrency' },
  default: { quota: 100, window: '1 m' },
} as const

function app() {
  const limits = rateLimit({ limiter: { store: memory(), policies } })
  const waiting: (() => void)[] = []
  const hono = problems(
    new Hono<RateLimitEnv>()
      .use(limits)
      .get('/report', limits.limit('reports'), async (c) => {
        await new Promise<void>((resolve) => waiting.push(resolve))
        return c.text('done')
      })
      .get('/boom', limits.limit('reports'), () => {
        throw new BreakwaterError('conflict', { status: 409 })
      })
      .get('/stream', limits.limit('reports'), () => {
        let left = 3
        return new Response(
          new ReadableStream(
            {
              pull(controller) {
                if (left-- > 0) controller.enqueue(new TextEncoder().encode('x'))
                else controller.close()
              },
            },
            { highWaterMark: 0 },
          ),
        )
      }),
  )
  const ask = (path: string) =>
    Promise.resolve(hono.request(path, { headers: { 'cf-connecting-ip': '203.0.113.7' } }))
  return { ask, waiting }
}

describe('a limit on what is in flight', () => {
  it('refuses the next while all slots are taken, and says it may come again soon', async () => {
    const { ask, waiting } = app()
    const two = [ask('/report'), ask('/report')]
    await vi.waitFor(() => expect(waiting.length).toBe(2))
    const refused = await ask('/report')
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.headers.get('ratelimit-policy')).toContain('"reports";q=2;qu="concurrent-requests"')
    expect(refused.headers.get('ratelimit')).toBe('"reports";r=0;t=1')
    for (const go of waiting) go()
    for (const reply of await Promise.all(two)) expect(await reply.text()).toBe('done')
    const next = ask('/report')
    await vi.waitFor(() => expect(waiting.length).toBe(3))
    waiting[2]?.()
    const reply = await next
    expect(reply.status).toBe(200)
    expect(reply.headers.get('ratelimit')).toMatch(/"reports";r=1$/)
    await reply.text()
  })

  it('gives the slot back when the handler fails', async () => {
    const { ask } = app()
    for (let i = 0; i < 5; i++) {
      const reply = await ask('/boom')
      expect(reply.status).toBe(409)
      await reply.text()
    }
  })

  it('holds the slot until a stream has been read to its end, or is given up', async () => {
    const { ask } = app()
    const [one, two] = await Promise.all([ask('/stream'), ask('/stream')])
    expect((await ask('/stream')).status).toBe(429)
    expect(await one?.text()).toBe('xxx')
    const three = await ask('/stream')
    expect(three.status).toBe(200)
    expect((await ask('/stream')).status).toBe(429)
    await two?.body?.cancel()
    expect((await ask('/stream')).status).toBe(200)
  })

  it('is there for services too', async () => {
    const limiter = createLimiter({ store: memory(), policies })
    const ask = () =>
      hold(limiter, [
        { policy: 'reports', key: 'tenant:1' },
        { policy: 'default', key: 'tenant:1' },
      ])
    const one = await ask()
    await ask()
    expect((await ask()).decision).toMatchObject({ allowed: false, violated: ['reports'], retryAfter: 1 })
    await one.release()
    await one.release()
    expect((await ask()).decision.allowed).toBe(true)
    const refused = await ask()
    expect(refused.decision.allowed).toBe(false)
    await refused.release()
    expect((await ask()).decision.allowed).toBe(false)
    // Only slots are given back.
    expect((await limiter.peek([{ policy: 'default', key: 'tenant:1' }])).outcomes[0]?.remaining).toBe(97)
  })

  it('cannot be of more than a state can hold', () => {
    const many = { quota: 251, window: '1 m', algorithm: 'concurrency' } as const
    expect(() => createLimiter({ store: memory(), policies: { many } })).toThrow('250')
  })
})

describe('what the limiter tells', () => {
  it('is each refusal, a shadow’s too, and an observer that fails changes nothing', async () => {
    const told: unknown[] = []
    const limiter = createLimiter({
      store: memory(),
      policies: { tried: { quota: 1, window: '1 m', shadow: true } },
      onViolation(decision) {
        told.push(decision.shadowed)
        throw new Error('observer')
      },
    })
    const request = [{ policy: 'tried', key: 'k' }]
    expect((await limiter.check(request)).allowed).toBe(true)
    expect((await limiter.check(request)).allowed).toBe(true)
    expect(told).toEqual([['tried']])
  })
})
