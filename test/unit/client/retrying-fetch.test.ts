import { retryAfter, retryingFetch } from 'breakwater/client'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const URL_ = 'https://app.example/x'

/** A fetch that gives these replies in turn and remembers what it was asked. */
function server(...replies: (Response | Error)[]): { fetch: typeof fetch; requests: Request[] } {
  const requests: Request[] = []
  return {
    requests,
    fetch: async (input) => {
      requests.push(input as Request)
      const reply = replies[requests.length - 1] ?? replies.at(-1)
      if (reply instanceof Error) throw reply
      return (reply as Response).clone()
    },
  }
}

const status = (code: number, headers?: HeadersInit): Response =>
  new Response(`${code}`, { status: code, ...(headers && { headers }) })

describe('retryingFetch', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('waits as long as Retry-After says, and no less', async () => {
    const { fetch, requests } = server(status(429, { 'retry-after': '7' }), status(200))
    const reply = retryingFetch({ fetch })(URL_)
    await vi.advanceTimersByTimeAsync(6_999)
    expect(requests).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect((await reply).status).toBe(200)
    expect(requests).toHaveLength(2)
  })

  it('hands a refusal back when the server asks for more patience than there is', async () => {
    const { fetch, requests } = server(status(429, { 'retry-after': '3600' }))
    expect((await retryingFetch({ fetch })(URL_)).status).toBe(429)
    expect(requests).toHaveLength(1)
  })

  it('backs off by itself when nothing is said, and gives up after its attempts with the last reply', async () => {
    const { fetch, requests } = server(status(503))
    const reply = retryingFetch({ fetch, attempts: 3 })(URL_)
    await vi.runAllTimersAsync()
    expect((await reply).status).toBe(503)
    expect(requests).toHaveLength(3)
  })

  it('tries again after a network failure, and rejects with it in the end', async () => {
    const { fetch, requests } = server(new TypeError('connection refused'))
    const reply = retryingFetch({ fetch, attempts: 2 })(URL_)
    const outcome = expect(reply).rejects.toThrow('connection refused')
    await vi.runAllTimersAsync()
    await outcome
    expect(requests).toHaveLength(2)
  })

  it('never repeats a POST without an Idempotency-Key', async () => {
    const { fetch, requests } = server(status(503))
    expect((await retryingFetch({ fetch })(URL_, { method: 'POST', body: 'pay' })).status).toBe(503)
    expect(requests).toHaveLength(1)
  })

  it('repeats a POST that carries one, with the same body', async () => {
    const { fetch, requests } = server(status(503, { 'retry-after': '1' }), status(201))
    const reply = retryingFetch({ fetch })(URL_, {
      method: 'POST',
      body: 'pay',
      headers: { 'idempotency-key': 'k1' },
    })
    await vi.runAllTimersAsync()
    expect((await reply).status).toBe(201)
    expect(await Promise.all(requests.map((request) => request.text()))).toEqual(['pay', 'pay'])
  })

  it('never repeats a body that is a stream', async () => {
    const { fetch, requests } = server(status(503))
    const body = new Blob(['x']).stream()
    const init = { method: 'PUT', body, duplex: 'half' } as RequestInit
    expect((await retryingFetch({ fetch })(URL_, init)).status).toBe(503)
    expect(requests).toHaveLength(1)
  })

  it('stops waiting when it is aborted', async () => {
    const { fetch, requests } = server(status(429, { 'retry-after': '20' }))
    const controller = new AbortController()
    const reply = retryingFetch({ fetch })(URL_, { signal: controller.signal })
    const outcome = expect(reply).rejects.toThrow('enough')
    await vi.advanceTimersByTimeAsync(1000)
    controller.abort(new Error('enough'))
    await outcome
    expect(requests).toHaveLength(1)
  })

  it('hands back at once what is no use repeating', async () => {
    const { fetch, requests } = server(status(404))
    expect((await retryingFetch({ fetch })(URL_)).status).toBe(404)
    expect(requests).toHaveLength(1)
  })

  it('refuses options that make no sense when it is built', () => {
    expect(() => retryingFetch({ attempts: 0 })).toThrow(TypeError)
    expect(() => retryingFetch({ patience: 'soon' as '1 s' })).toThrow(TypeError)
  })
})

describe('retryAfter', () => {
  const now = Date.parse('2026-11-22T12:00:00Z')
  it.each([
    ['120', 120_000],
    ['0', 0],
    ['Sun, 22 Nov 2026 12:00:05 GMT', 5000],
    ['Sun, 22 Nov 2026 11:00:00 GMT', 0],
    ['-5', undefined],
    ['1.5', undefined],
    ['2026-11-22', undefined],
    ['soon', undefined],
    ['', undefined],
  ])('reads %j as %s ms', (value, expected) => {
    expect(retryAfter(new Headers({ 'retry-after': value }), now)).toBe(expected)
  })

  it('is undefined when the reply does not say', () => {
    expect(retryAfter(new Headers())).toBeUndefined()
  })
})
