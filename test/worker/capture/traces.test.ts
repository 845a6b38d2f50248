/// <reference types="@cloudflare/vitest-plugin/types" />
import { createExecutionContext, createMessageBatch, waitOnExecutionContext } from 'cloudflare:test'
import {
  type CaptureOptions,
  captureMiddleware,
  createCapture,
  otlp,
  tracedFetch,
  traceRoutes,
  withCapture,
} from 'breakwater/capture'
import { currentWork, runWork, span, workFor } from 'breakwater/core'
import { Hono } from 'hono'
import { beforeEach, describe, expect, it } from 'vitest'
import { incomingTrace } from '../../../src/core/trace.ts'
import { call } from './call.ts'
import { Ingest, type SeenEvent } from './ingest.ts'

let ingest: Ingest
beforeEach(() => {
  ingest = new Ingest()
})
const options = (more: Partial<CaptureOptions> = {}): CaptureOptions => ({
  dsn: ingest.dsn,
  fetch: ingest.fetch,
  tracesSampleRate: 1,
  ...more,
})
const traceId = 'a'.repeat(32)
const caller = 'b'.repeat(16)

const app = () => {
  const made = traceRoutes(new Hono()).use(captureMiddleware())
  made.use(async function guard(_c, next) {
    await span('db.redis', 'EVALSHA', async () => {})
    await next()
  })
  made.route(
    '/users',
    new Hono().get('/:id', async (c) => {
      await span('db.query', 'select name from users where id = $1', async () => {})
      return c.text('ok')
    }),
  )
  made.get('/fails', () => {
    throw new Error('no')
  })
  return made
}

describe('a request’s trace', () => {
  it.each([
    ['W3C’s header', { traceparent: `00-${traceId}-${caller}-01` }],
    ['Sentry’s header', { 'sentry-trace': `${traceId}-${caller}-1` }],
  ])('continues what came in %s', async (_name, headers) => {
    await call(withCapture(options(), app()), '/users/7', { headers })
    expect(ingest.transactions[0]?.contexts.trace).toMatchObject({
      trace_id: traceId,
      parent_span_id: caller,
    })
  })

  it('has a span for each middleware and handler, and within each what it did', async () => {
    await call(withCapture(options(), app()), '/users/7')
    const [transaction] = ingest.transactions
    const named = (text: string) => transaction?.spans?.find(({ description }) => description === text)
    const root = transaction?.contexts.trace.span_id
    expect(named('captureMiddleware')).toMatchObject({ op: 'middleware', parent_span_id: root })
    expect(named('guard')).toMatchObject({ parent_span_id: named('captureMiddleware')?.span_id })
    expect(named('EVALSHA')).toMatchObject({ op: 'db.redis', parent_span_id: named('guard')?.span_id })
    expect(named('GET /users/:id')).toMatchObject({ op: 'handler', parent_span_id: named('guard')?.span_id })
    expect(named('select name from users where id = $1')).toMatchObject({
      op: 'db.query',
      parent_span_id: named('GET /users/:id')?.span_id,
    })
    expect(ingest.raw.join()).not.toContain('/users/7')
  })

  it('is handed on by fetch, with what the caller said to Sentry and nothing else of its baggage', async () => {
    const sent: Headers[] = []
    const fetching = tracedFetch({
      fetch: (async (request: Request) => {
        sent.push(request.headers)
        return new Response('', { status: 503 })
      }) as typeof fetch,
    })
    const worker = withCapture(options(), {
      fetch: () =>
        fetching('https://api.example/v1/people?mail=ann@example.com', { headers: { 'x-a': 'b' } }),
    })
    const baggage = `user=ann,sentry-trace_id=${traceId},sentry-environment=test`
    await call(worker, '/', {
      headers: { traceparent: `00-${traceId}-${caller}-01`, tracestate: 'v=1', baggage },
    })
    const [headers] = sent
    expect(incomingTrace(headers ?? new Headers())?.traceId).toBe(traceId)
    expect(headers?.get('sentry-trace')).toMatch(new RegExp(`^${traceId}-(?!b{16})[0-9a-f]{16}-1$`))
    expect(headers?.get('tracestate')).toBe('v=1')
    expect(headers?.get('baggage')).toBe(`sentry-trace_id=${traceId},sentry-environment=test`)
    expect(headers?.get('x-a')).toBe('b')
    expect(ingest.transactions[0]?.spans).toMatchObject([
      { op: 'http.client', description: 'GET api.example' },
    ])
    expect(ingest.raw.join()).not.toContain('ann')
  })

  it('is sent when the work failed or was slow, whatever the sample says', async () => {
    const worker = withCapture(options({ tracesSampleRate: 0, slow: 30 }), {
      fetch: async (request: Request) => {
        if (request.url.endsWith('/slow')) await scheduler.wait(40)
        return new Response('', { status: request.url.endsWith('/bad') ? 500 : 200 })
      },
    })
    for (const path of ['/', '/slow', '/bad']) await call(worker, path)
    expect(ingest.transactions.map(({ contexts }) => contexts.trace.status)).toEqual(['ok', 'internal_error'])
    expect(ingest.errors.length).toBe(1)
    expect(ingest.errors[0]?.contexts.trace.trace_id).toBe(ingest.transactions[1]?.contexts.trace.trace_id)
  })

  it('is sampled by a rule, which may fail without harm', async () => {
    const asked: string[] = []
    const worker = withCapture(
      options({
        slow: false,
        tracesSampleRate: (kind, name) => {
          asked.push(`${kind} ${name}`)
          if (name === 'GET /fails') throw new Error('the rule is wrong')
          return name === 'GET /users/:id' ? 1 : 0
        },
      }),
      app(),
    )
    for (const path of ['/users/7', '/nowhere', '/fails']) await call(worker, path)
    expect(asked).toEqual(['request GET /users/:id', 'request GET /*', 'request GET /fails'])
    expect(ingest.transactions.map(({ transaction }) => transaction)).toEqual(['GET /users/:id'])
    expect(ingest.errors.length).toBe(1)
    for (const tracesSampleRate of [-0.1, 1.1, Number.NaN])
      expect(() => createCapture(options({ tracesSampleRate }))).toThrow(TypeError)
  })

  it('is sampled by its id, so that a job goes with the request that made it', async () => {
    const worker = withCapture(options({ tracesSampleRate: 0.5, slow: false }), app())
    for (const tail of ['00000001', 'ffffffff']) {
      const id = 'c'.repeat(24) + tail
      for (let i = 0; i < 3; i++)
        await call(worker, '/users/7', { headers: { traceparent: `00-${id}-${caller}-01` } })
    }
    expect(ingest.transactions.map(({ contexts }) => contexts.trace.trace_id.slice(-8))).toEqual(
      Array(3).fill('00000001'),
    )
  })
})

it('gives each job of a batch a transaction in the trace of the request that made it, with its error', async () => {
  const capture = createCapture(options())
  const worker = withCapture(capture, {
    async queue() {
      const outer = currentWork()
      const trace = incomingTrace(new Headers({ traceparent: `00-${traceId}-${caller}-01` }))
      const work = workFor('queue', outer, { ...(trace && { trace }) })
      const ended = outer?.begin?.(work)
      work.facts.set('job', 'send-mail')
      await runWork(work, async () => {
        await span('http.client', 'POST Resend', async () => {})
        capture.captureException(new Error('the provider refused'), { mechanism: 'queue' })
      })
      ended?.('job send-mail', false)
    },
  })
  const context = createExecutionContext()
  await worker.queue(createMessageBatch('jobs', []) as never, {}, context)
  await waitOnExecutionContext(context)
  const job = ingest.transactions.find(({ transaction }) => transaction === 'job send-mail')
  expect(job).toMatchObject({
    contexts: {
      trace: { trace_id: traceId, parent_span_id: caller, op: 'queue.process', status: 'internal_error' },
    },
    spans: [{ op: 'http.client', description: 'POST Resend' }],
  })
  expect(ingest.errors).toMatchObject([
    {
      transaction: 'job send-mail',
      contexts: { trace: { trace_id: traceId } },
      breadcrumbs: { values: [{}] },
    },
  ])
  expect(ingest.transactions.some(({ transaction }) => transaction === 'queue jobs')).toBe(true)
})

describe('OTLP', () => {
  it('carries the same spans to a collector, without Sentry too', async () => {
    const posts: { url: string; init: RequestInit }[] = []
    const collector = otlp({
      endpoint: 'https://collector.example/',
      service: 'shop',
      headers: { 'x-key': 'k' },
      fetch: (async (url: string, init: RequestInit) => {
        posts.push({ url, init })
        return new Response('{}')
      }) as typeof fetch,
    })
    const worker = withCapture(
      { ...options({ exporters: [collector], release: 'v7' }), dsn: undefined },
      app(),
    )
    await call(worker, '/users/7', { headers: { traceparent: `00-${traceId}-${caller}-01` } })
    expect(posts.map(({ url }) => url)).toEqual(['https://collector.example/v1/traces'])
    const sent = JSON.parse(String(posts[0]?.init.body))
    const [resource] = sent.resourceSpans
    expect(resource.resource.attributes).toContainEqual({
      key: 'service.name',
      value: { stringValue: 'shop' },
    })
    const { spans } = resource.scopeSpans[0]
    expect(spans[0]).toMatchObject({ traceId, parentSpanId: caller, name: 'GET /users/:id', kind: 2 })
    expect(spans[0].startTimeUnixNano).toMatch(/^\d{19}$/)
    expect(spans.length).toBe(6)
    for (const one of spans.slice(1))
      expect(spans.map((s: { spanId: string }) => s.spanId)).toContain(one.parentSpanId)
  })

  it('leaves a collector alone that is overloaded, and refuses an address that is none', async () => {
    let asked = 0
    const collector = otlp({
      endpoint: 'https://collector.example',
      fetch: (async () => {
        asked += 1
        return new Response('', { status: 429, headers: { 'retry-after': '30' } })
      }) as typeof fetch,
    })
    const worker = withCapture({ ...options({ exporters: [collector] }), dsn: undefined }, app())
    for (let i = 0; i < 3; i++) await call(worker, '/users/7')
    expect(asked).toBe(1)
    expect(() => otlp({ endpoint: 'collector' })).toThrow(TypeError)
  })
})

it('parses as Sentry’s own parser has it, errors and transactions apart', async () => {
  await call(withCapture(options(), app()), '/fails')
  const [error] = ingest.errors as [SeenEvent]
  expect(ingest.transactions.length).toBe(1)
  expect(error.contexts.trace.trace_id).toBe(ingest.transactions[0]?.contexts.trace.trace_id)
})
