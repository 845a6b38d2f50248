import { captureTunnel, createCapture, withCapture } from 'breakwater/capture'
import { problems } from 'breakwater/core'
import { Hono } from 'hono'
import { beforeEach, describe, expect, it } from 'vitest'
import { call } from './call.ts'
import { Ingest } from './ingest.ts'

let ingest: Ingest
beforeEach(() => {
  ingest = new Ingest()
})

const trace = 'a'.repeat(32)
const report = (more: object = {}) =>
  JSON.stringify({
    v: 1,
    trace,
    span: 'b'.repeat(16),
    path: '/orders/4711',
    errors: [
      {
        type: 'TypeError',
        value: 'x is undefined for ann@example.com',
        mechanism: 'onerror',
        frames: [{ filename: 'https://app.example/app.js?token=abc', function: 'go', lineno: 3, colno: 9 }],
      },
    ],
    vitals: { lcp: 1200, cls: 0.02, made_up: 5 },
    ...more,
  })

function worker(options: Partial<Parameters<typeof captureTunnel>[0]> = {}) {
  const capture = createCapture({ dsn: ingest.dsn, fetch: ingest.fetch, tracesSampleRate: 1 })
  const app = problems(new Hono().post('/_capture', captureTunnel({ capture, ...options })))
  return withCapture(capture, { fetch: app.fetch })
}
const post = (to: ReturnType<typeof worker>, body: string, headers: Record<string, string> = {}) =>
  call(to, '/_capture', { method: 'POST', body, headers: { 'sec-fetch-site': 'same-origin', ...headers } })

it('makes events of what a page tells, in the page’s trace, masked like the server’s own', async () => {
  expect((await post(worker(), report())).status).toBe(204)
  expect(ingest.errors).toMatchObject([
    {
      transaction: '/orders/:id',
      contexts: { trace: { trace_id: trace } },
      tags: { work: 'page' },
      exception: {
        values: [
          {
            type: 'TypeError',
            value: 'x is undefined for [email]',
            mechanism: { type: 'onerror', handled: false },
            stacktrace: { frames: [{ filename: 'https://app.example/app.js', function: 'go' }] },
          },
        ],
      },
    },
  ])
  const page = ingest.transactions.find(({ contexts }) => contexts.trace.op === 'pageload')
  expect(page).toMatchObject({
    measurements: { lcp: { value: 1200, unit: 'millisecond' }, cls: { value: 0.02 } },
  })
  expect(ingest.raw.join()).not.toMatch(/orders\/4711|made_up|ann@|token=abc/)
})

it('passes the debug ids of the page’s scripts on, and nothing that is none', async () => {
  const id = '01234567-89ab-8def-8123-456789abcdef'
  const debug = {
    'https://app.example/app.js?token=abc': id,
    'https://app.example/other.js': id,
    __proto__: id,
    'https://app.example/bad.js': 'ann@example.com',
  }
  await post(worker(), report({ debug }))
  expect(ingest.errors).toMatchObject([
    {
      debug_meta: {
        images: [{ type: 'sourcemap', code_file: 'https://app.example/app.js', debug_id: id }],
      },
    },
  ])
  expect(ingest.raw.join()).not.toMatch(/ann@|token=abc|other\.js/)
})

describe('is no open relay', () => {
  it('refuses other origins, whatever they send', async () => {
    const to = worker()
    expect((await post(to, report(), { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await post(to, report(), { 'sec-fetch-site': 'same-site' })).status).toBe(403)
    const bare = await call(to, '/_capture', { method: 'POST', body: report() })
    expect(bare.status).toBe(403)
    expect(ingest.errors).toEqual([])
  })

  it.each([
    ['text', 'nonsense'],
    ['an envelope for another project', '{"dsn":"https://k@other.example/9"}\n{"type":"event"}\n{}\n'],
    ['no trace', report({ trace: 'zz' })],
    ['too many errors', report({ errors: new Array(21).fill({}) })],
    ['another version', report({ v: 2 })],
  ])('refuses %s', async (_name, body) => {
    expect((await post(worker(), body)).status).toBe(400)
    expect(ingest.errors).toEqual([])
  })

  it('takes nothing large, whether or not its length is told', async () => {
    expect((await post(worker(), report({ path: 'x'.repeat(40_000) }))).status).toBe(413)
    const stream = new ReadableStream({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode('x'.repeat(10_000)))
      },
    })
    const reply = await call(worker(), '/_capture', {
      method: 'POST',
      body: stream,
      headers: { 'sec-fetch-site': 'same-origin' },
    })
    expect(reply.status).toBe(413)
  })

  it('takes so much a minute, of one caller and of all', async () => {
    const few = worker({ perMinute: 2 })
    const statuses: number[] = []
    for (let i = 0; i < 3; i++) statuses.push((await post(few, report())).status)
    expect(statuses).toEqual([204, 204, 429])
    const asked: unknown[] = []
    const limited = worker({
      limiter: {
        check: async (requests) => {
          asked.push(requests)
          return { allowed: false, retryAfter: 7, violated: ['default'] }
        },
      },
    })
    const refused = await post(limited, report(), { 'cf-connecting-ip': '203.0.113.7' })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '7'])
    expect(asked).toEqual([[{ policy: 'default', key: 'capture:203.0.113.7' }]])
  })
})
