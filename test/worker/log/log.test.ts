import {
  BreakwaterError,
  currentWork,
  problems,
  type RequestContextEnv,
  requestContext,
  shield,
  span,
} from 'breakwater/core'
import { type LogOptions, log, logger } from 'breakwater/log'
import { Hono } from 'hono'
import { describe, expect, it, vi } from 'vitest'

interface Line {
  level: string
  message: string
  [field: string]: unknown
}

function appWithLog(options: LogOptions = {}) {
  const raw: string[] = []
  const app = new Hono<RequestContextEnv>()
  app.use(requestContext(), log({ write: (line) => raw.push(line), ...options }))
  app.get('/users/:id', (c) => {
    currentWork()?.facts.set('userId', 'user_7')
    return c.text('hello')
  })
  app.get('/teapot', (c) => c.text('no', 418))
  app.get('/boom', () => {
    throw new Error('cannot reach postgres://app:hunter2@db/x')
  })
  app.get('/string', () => {
    throw 'Bearer abcdefghijklmnop'
  })
  app.get('/refused', () => {
    throw new BreakwaterError('forbidden', { status: 403, detail: 'Not yours.' })
  })
  app.get('/late', (c) => {
    c.var.work.waitUntil(Promise.reject(new Error('mail failed for ann@example.com')))
    return c.text('ok')
  })
  app.get('/spans', async (c) => {
    await span('db.query', 'select 1', async () => {})
    return c.text('ok')
  })
  app.get('/says', (c) => {
    const child = logger.with({ part: 'billing', password: 'hunter2' })
    child.info('paid\n{"level":"error"}', {
      email: 'a@b.example',
      nested: { apiKey: 'k' },
      requestId: 'forged',
    })
    logger.debug('too quiet')
    return c.text('ok')
  })
  const handler = shield(problems(app))
  const get = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    handler.fetch(
      new Request(`https://example.com${path}`, { headers }),
      {},
      {
        waitUntil() {},
        passThroughOnException() {},
        props: {},
      },
    )
  return { get, raw, lines: (): Line[] => raw.map((line) => JSON.parse(line) as Line) }
}

describe('the line of a request', () => {
  it('names route, status, ids and user, and not the path', async () => {
    const { get, lines, raw } = appWithLog()
    const trace = 'a'.repeat(32)
    const reply = await get('/users/zebra?token=quokka', { traceparent: `00-${trace}-${'b'.repeat(16)}-01` })
    expect(lines()).toHaveLength(1)
    expect(lines()[0]).toMatchObject({
      level: 'info',
      message: 'GET /users/:id 200',
      method: 'GET',
      route: '/users/:id',
      status: 200,
      duration: expect.any(Number),
      requestId: reply.headers.get('x-request-id'),
      traceId: trace,
      userId: 'user_7',
    })
    expect(raw.join()).not.toMatch(/zebra|quokka/)
  })

  it('is a warning for refusals and an error for failures', async () => {
    const { get, lines, raw } = appWithLog()
    for (const path of ['/teapot', '/refused', '/boom', '/string', '/nowhere']) await get(path)
    expect(lines().map((line) => [line.level, line.message])).toEqual([
      ['warn', 'GET /teapot 418'],
      ['warn', 'GET /refused 403'],
      ['error', 'GET /boom 500'],
      ['error', 'GET /string 500'],
      ['warn', 'GET (no route) 404'],
    ])
    expect(lines()[1]?.['error']).toEqual({ code: 'forbidden', message: 'Not yours.' })
    expect(lines()[2]?.['error']).toMatchObject({
      name: 'Error',
      message: 'cannot reach postgres://[redacted]@db/x',
    })
    expect(raw.join()).not.toMatch(/hunter2|abcdefgh/)
  })

  it('keeps a failure of waitUntil as a line of its own', async () => {
    const { get, lines } = appWithLog()
    await get('/late')
    await vi.waitFor(() => expect(lines()).toHaveLength(2))
    expect(lines().find((line) => line.level === 'error')).toMatchObject({
      message: 'failed: wait-until',
      error: { message: 'mail failed for [email]' },
    })
  })

  it('does not wait for a handler that hangs beyond the time budget', async () => {
    const raw: string[] = []
    const app = problems(
      new Hono<RequestContextEnv>()
        .use(requestContext({ deadline: 20 }), log({ write: (line) => raw.push(line) }))
        .get('/hang', async (c) => {
          await scheduler.wait(100)
          return c.text('late')
        }),
    )
    expect((await app.request('/hang')).status).toBe(504)
    expect(raw.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'error', status: 504, route: '/hang', error: { code: 'deadline-exceeded' } },
    ])
    await scheduler.wait(120)
    expect(raw).toHaveLength(1)
  })

  it('counts round trips', async () => {
    const { get, lines } = appWithLog()
    await get('/spans')
    expect(lines()[0]).toMatchObject({ roundTrips: 1 })
  })

  it('can be sampled and skipped, but never for failures', async () => {
    const { get, lines } = appWithLog({ sample: 0, skip: (c) => c.req.path === '/boom' })
    for (const path of ['/users/1', '/teapot', '/boom']) await get(path)
    expect(lines().map((line) => line['status'])).toEqual([418, 500])
  })

  it('shows path and address only when told to', async () => {
    const { get, lines } = appWithLog({ path: true, addresses: true })
    await get('/users/ann@example.com', { 'cf-connecting-ip': '203.0.113.7' })
    expect(lines()[0]).toMatchObject({ address: '203.0.113.7', path: '/users/[email]' })
  })

  it('does not fail the request when writing fails', async () => {
    const { get } = appWithLog({
      write: () => {
        throw new Error('disk full')
      },
    })
    expect((await get('/users/1')).status).toBe(200)
  })

  it('refuses a share that is none', () => {
    expect(() => log({ sample: 2 })).toThrow(TypeError)
  })
})

describe('the logger', () => {
  it('finds its request, masks fields, and cannot be made to write a second line', async () => {
    const { get, lines, raw } = appWithLog({ redact: ['part'] })
    const reply = await get('/says')
    expect(raw).toHaveLength(2)
    for (const line of raw) expect(line).not.toMatch(/[\n\r]/)
    expect(lines()[0]).toMatchObject({
      level: 'info',
      message: 'paid\n{"level":"error"}',
      requestId: reply.headers.get('x-request-id'),
      part: '[redacted]',
      password: '[redacted]',
      email: '[redacted]',
      nested: { apiKey: '[redacted]' },
    })
  })

  it('writes to the console outside of any request', () => {
    const info = vi.spyOn(console, 'info').mockImplementation(() => {})
    logger.info('started', { at: 1n })
    expect(JSON.parse(String(info.mock.calls[0]?.[0]))).toMatchObject({ message: 'started', at: '1' })
    info.mockRestore()
  })
})
