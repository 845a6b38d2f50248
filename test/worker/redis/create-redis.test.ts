import { runWork, type Span, type Work } from 'breakwater/core'
import { createRedis } from 'breakwater/redis'
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => {
  vi.unstubAllGlobals()
})

const encode = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)))

function work(spans: Span[]): Work {
  return {
    kind: 'request',
    id: 'test',
    trace: { traceId: '1'.repeat(32), spanId: '1'.repeat(16), sampled: true },
    signal: new AbortController().signal,
    waitUntil: () => undefined,
    record: (span) => {
      spans.push(span)
    },
    facts: new Map(),
  }
}

test('in workerd, the commands of a tick are one request and one span', async () => {
  const bodies: unknown[] = []
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    expect(url).toBe('https://example.upstash.io/pipeline')
    expect(new Headers(init.headers).get('authorization')).toBe('Bearer token')
    bodies.push(JSON.parse(init.body as string))
    return Response.json([{ result: 'OK' }, { result: encode('"héllo"') }])
  })
  const redis = createRedis({ url: 'https://example.upstash.io', token: 'token' })
  const spans: Span[] = []
  const answers = await runWork(work(spans), () =>
    Promise.all([redis.set('a', 1), redis.set('b', 2, { get: true })]),
  )
  expect(answers).toEqual(['OK', 'héllo'])
  expect(bodies).toEqual([
    [
      ['set', 'a', 1],
      ['set', 'b', 2, 'get'],
    ],
  ])
  expect(spans).toMatchObject([{ op: 'db.redis', name: 'PIPELINE(2)', ok: true }])
})

test('in workerd, a server that hangs is given up after the timeout', async () => {
  vi.stubGlobal(
    'fetch',
    (_: string, init: RequestInit) =>
      new Promise((_, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason))
      }),
  )
  const redis = createRedis({ url: 'https://example.upstash.io', token: 'token', timeout: 50 })
  await expect(redis.get('k')).rejects.toMatchObject({ code: 'dependency-unavailable', status: 503 })
})
