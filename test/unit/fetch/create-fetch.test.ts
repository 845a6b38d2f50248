import { breakerStates, resetBreakers } from 'breakwater/breaker'
import { type BreakwaterError, runWork, type Span, workFor } from 'breakwater/core'
import { createFetch } from 'breakwater/fetch'
import { beforeEach, expect, it } from 'vitest'

beforeEach(() => resetBreakers())

const failing = (): Promise<Response> => Promise.reject(new TypeError('connection refused'))
const hanging: typeof fetch = (_request, init) =>
  new Promise((_, reject) => {
    const { signal } = init ?? {}
    if (signal?.aborted) reject(signal.reason)
    signal?.addEventListener('abort', () => reject(signal.reason))
  })
const quiet = { failures: 2, cooldown: '20 ms' } as const

it('hands a reply on, and tells of it as a span without path and query', async () => {
  const spans: Span[] = []
  const work = workFor('other')
  work.observe?.({ span: (span) => spans.push(span) })
  const api = createFetch({ fetch: async () => new Response('fine', { status: 404 }) })
  const reply = await runWork(work, () => api('https://api.acme.dev/people?email=ann@acme.dev'))
  expect([reply.status, await reply.text()]).toEqual([404, 'fine'])
  expect(spans).toMatchObject([{ op: 'http.client', name: 'GET api.acme.dev', ok: true }])
})

it('refuses at once when a service is out, host by host, and tries again after a rest', async () => {
  let calls = 0
  let down = true
  const api = createFetch({
    breaker: quiet,
    fetch: async (request) => {
      calls++
      if (down && new URL((request as Request).url).host === 'a.dev') return failing()
      return new Response('up')
    },
  })
  const error = async (): Promise<BreakwaterError> => api('https://a.dev/').catch((thrown) => thrown)
  expect(await error()).toMatchObject({ code: 'dependency-unavailable', report: true })
  await error()
  expect(await error()).toMatchObject({ code: 'dependency-unavailable', report: false })
  expect(Number((await error()).headers['Retry-After'])).toBeGreaterThan(0)
  expect(calls).toBe(2)
  expect(breakerStates()).toMatchObject({ 'fetch@a.dev': { state: 'open' } })
  expect((await api('https://b.dev/')).status).toBe(200)
  down = false
  await new Promise((resolve) => setTimeout(resolve, 40))
  expect((await api('https://a.dev/')).status).toBe(200)
  expect(breakerStates()).toMatchObject({ 'fetch@a.dev': { state: 'closed' } })
})

it('counts a gateway that answers for a service which is out, and hands its reply on', async () => {
  const api = createFetch({ breaker: quiet, fetch: async () => new Response('away', { status: 503 }) })
  expect(await (await api('https://a.dev/')).text()).toBe('away')
  await api('https://a.dev/')
  await expect(api('https://a.dev/')).rejects.toMatchObject({ code: 'dependency-unavailable' })
})

it('does not take an error of ours or of the caller for an outage', async () => {
  const api = createFetch({ breaker: quiet, fetch: async () => new Response('no', { status: 500 }) })
  for (let i = 0; i < 5; i++) expect((await api('https://a.dev/')).status).toBe(500)
  const left = createFetch({ breaker: quiet, fetch: hanging })
  for (let i = 0; i < 5; i++) {
    await expect(left('https://a.dev/', { signal: AbortSignal.abort('left') })).rejects.toBe('left')
  }
  expect(breakerStates()).toMatchObject({ 'fetch@a.dev': { state: 'closed', failures: 0 } })
})

it('gives a service its time and no more, and says when it is not known what happened', async () => {
  const api = createFetch({ timeout: '10 ms', fetch: hanging })
  await expect(api('https://a.dev/')).rejects.toMatchObject({ code: 'dependency-unavailable' })
  await expect(api('https://a.dev/', { method: 'POST' })).rejects.toMatchObject({ code: 'outcome-unknown' })
  const late = workFor('other', undefined, { budget: -1 })
  const patient = createFetch({ timeout: '1 m', fetch: hanging })
  await expect(runWork(late, () => patient('https://a.dev/'))).rejects.toMatchObject({
    code: 'dependency-unavailable',
  })
})

it('hands the trace on only where it is told to', async () => {
  const seen: (string | null)[] = []
  const note: typeof fetch = async (request) => {
    seen.push((request as Request).headers.get('traceparent'))
    return new Response()
  }
  const work = workFor('other')
  await runWork(work, () => createFetch({ fetch: note })('https://a.dev/'))
  await runWork(work, () => createFetch({ fetch: note, trace: true })('https://a.dev/'))
  expect(seen).toEqual([null, expect.stringContaining(work.trace.traceId)])
})

it('refuses options that make no sense', () => {
  expect(() => createFetch({ timeout: 0 })).toThrow(TypeError)
  expect(() => createFetch({ timeout: 'soon' as never })).toThrow(TypeError)
})
