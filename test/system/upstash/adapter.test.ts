import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isBreakwaterError, runWork, type Span, type Work } from '../../../src/core/index.ts'
import { type StandIn, serveStandIn } from '../../../src/local/server.ts'
import { createUpstashApp } from '../../../src/local/upstash/index.ts'
import { createRedis } from '../../../src/redis/index.ts'

const TOKEN = 'a-very-secret-token'
let standIn: StandIn

beforeAll(async () => {
  standIn = await serveStandIn(createUpstashApp({ token: TOKEN }))
})
afterAll(() => standIn.stop())

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

/** A server that answers as it is told. */
async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function work(spans: Span[]): Work {
  return {
    kind: 'request',
    id: 'test',
    trace: { traceId: '1'.repeat(32), spanId: '1'.repeat(16), sampled: true },
    signal: new AbortController().signal,
    waitUntil: () => undefined,
    record: (span) => void spans.push(span),
    facts: new Map(),
  }
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not fail')
}

/** Everything an error says, its causes included. */
function everything(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.name} ${error.message} ${error.stack} ${everything(error.cause)} ${JSON.stringify(error)}`
}

describe('a round trip', () => {
  test('carries all commands of a tick, and is one span', async () => {
    const redis = createRedis({ url: standIn.url, token: TOKEN })
    const spans: Span[] = []
    const before = standIn.stats().total
    const answers = await runWork(work(spans), () =>
      Promise.all([
        redis.set('user:1', 'Grüße'),
        redis.incr('n'),
        redis.eval('return KEYS[1]', ['user:1'], []),
      ]),
    )
    expect(answers).toEqual(['OK', 1, 'user:1'])
    expect(standIn.stats().total - before).toBe(1)
    expect(spans).toMatchObject([{ op: 'db.redis', name: 'PIPELINE(3)', ok: true }])
    expect(JSON.stringify(spans)).not.toContain('user:1')
  })

  test('of one command is named after it, a transaction after its size', async () => {
    const redis = createRedis({ url: standIn.url, token: TOKEN })
    const spans: Span[] = []
    await runWork(work(spans), async () => {
      expect(await redis.get('user:1')).toBe('Grüße')
      await redis.hset('h', { f: { nested: [1, 'ü'] } })
      expect(await redis.hgetall('h')).toEqual({ f: { nested: [1, 'ü'] } })
      expect(await redis.multi().set('m', 1).incr('m').exec()).toEqual(['OK', 2])
    })
    expect(spans.map((span) => span.name)).toEqual(['GET', 'HSET', 'HGETALL', 'MULTI-EXEC(2)'])
  })

  test('sends no telemetry', async () => {
    let headers: Record<string, unknown> = {}
    const url = await serving((request, response) => {
      headers = request.headers
      response.end('[{"result":null}]')
    })
    await createRedis({ url, token: TOKEN }).get('k')
    expect(Object.keys(headers).filter((name) => name.includes('telemetry'))).toEqual([])
  })

  test('asks replicas for what this client wrote', async () => {
    const seen: unknown[] = []
    const url = await serving((request, response) => {
      seen.push(request.headers['upstash-sync-token'])
      response.setHeader('upstash-sync-token', `token-${seen.length}`)
      response.end('[{"result":"OK"}]')
    })
    const redis = createRedis({ url, token: TOKEN })
    await redis.set('a', 1)
    await redis.get('a')
    expect(seen).toEqual([undefined, 'token-1'])
  })
})

describe('a command that Redis refuses', () => {
  test('rejects with the error of the client, and only that command', async () => {
    const redis = createRedis({ url: standIn.url, token: TOKEN })
    await redis.set('text', 'abc')
    const [incremented, read] = await Promise.allSettled([redis.incr('text'), redis.set('fine', 1)])
    expect(incremented).toMatchObject({ status: 'rejected', reason: { name: 'UpstashError' } })
    expect(read).toMatchObject({ status: 'fulfilled', value: 'OK' })
  })

  test('does not show its arguments', async () => {
    const redis = createRedis({ url: standIn.url, token: TOKEN })
    await redis.set('session:private', 'abc')
    const error = await failure(redis.hgetall('session:private'))
    expect(error.message).toContain('WRONGTYPE')
    expect(everything(error)).not.toContain('session:private')
  })
})

describe('when there is no answer', () => {
  const unavailable = { code: 'dependency-unavailable', status: 503 }

  test('because nothing listens, it says so after one retry', async () => {
    const url = await serving(() => undefined)
    for (const server of servers.splice(0)) server.close()
    const spans: Span[] = []
    const error = await failure(
      runWork(work(spans), () => createRedis({ url, token: TOKEN }).get('private-key')),
    )
    expect(isBreakwaterError(error)).toBe(true)
    expect(error).toMatchObject({ ...unavailable, cause: { message: 'Redis could not be reached' } })
    expect(everything(error)).not.toMatch(/a-very-secret-token|private-key/)
    expect(spans).toMatchObject([{ name: 'GET', ok: false }])
  })

  test('within the timeout, it gives up and does not ask again', async () => {
    let asked = 0
    const url = await serving(() => void asked++)
    const error = await failure(createRedis({ url, token: TOKEN, timeout: 100 }).get('k'))
    expect(error).toMatchObject({ ...unavailable, cause: { message: 'Redis did not answer within 100 ms' } })
    expect(asked).toBe(1)
  })

  test('because the body stops half-way, the timeout still holds', async () => {
    const url = await serving((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('[{"result":')
    })
    const error = await failure(createRedis({ url, token: TOKEN, timeout: 100 }).get('k'))
    expect(error).toMatchObject(unavailable)
  })

  test('at first, a retry gets it', async () => {
    let asked = 0
    const url = await serving((request, response) => {
      if (asked++ === 0) request.socket.destroy()
      else response.end('[{"result":"NQ=="}]')
    })
    expect(await createRedis({ url, token: TOKEN }).get('k')).toBe(5)
    expect(asked).toBe(2)
  })

  test('and retries are switched off, it asks once', async () => {
    let asked = 0
    const url = await serving((request) => {
      asked++
      request.socket.destroy()
    })
    expect(await failure(createRedis({ url, token: TOKEN, retries: 0 }).get('k'))).toMatchObject(unavailable)
    expect(asked).toBe(1)
  })

  test.each([
    [401, '{"error":"WRONGPASS invalid or missing auth token"}', 'Redis refused the token (401)'],
    [503, '{"error":"busy"}', 'Redis answered 503'],
    [502, '<html>a-very-secret-token</html>', 'Redis answered 502 with something that is not JSON'],
    [200, 'not json', 'Redis answered 200 with something that is not JSON'],
  ])('but a %i, it is told apart by the cause', async (status, body, message) => {
    let asked = 0
    const url = await serving((_, response) => {
      asked++
      response.writeHead(status).end(body)
    })
    const error = await failure(createRedis({ url, token: TOKEN }).get('k'))
    expect(error).toMatchObject({ ...unavailable, cause: { message } })
    expect(everything(error)).not.toContain(TOKEN)
    expect(asked).toBe(1)
  })
})

test.each([
  ['a redis:// URL', { url: 'redis://localhost:6379', token: TOKEN }],
  ['plain http across the internet', { url: 'http://eu1-example.upstash.io', token: TOKEN }],
  ['no URL', { url: '', token: TOKEN }],
  ['an empty token', { url: 'https://eu1-example.upstash.io', token: '' }],
  ['a token with a line break', { url: 'https://eu1-example.upstash.io', token: 'abc\n' }],
  [
    'a timeout that is none',
    { url: 'https://eu1-example.upstash.io', token: TOKEN, timeout: 'soon' as '1 s' },
  ],
  ['endless retries', { url: 'https://eu1-example.upstash.io', token: TOKEN, retries: 100 }],
])('%s is refused when the client is made, without showing the token', (_, options) => {
  let error: unknown
  try {
    createRedis(options)
  } catch (caught) {
    error = caught
  }
  expect(error).toBeInstanceOf(TypeError)
  expect(everything(error)).not.toContain(TOKEN)
})
