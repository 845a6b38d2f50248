import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type StandIn, serveStandIn } from '../../../src/local/server.ts'
import { createUpstashApp } from '../../../src/local/upstash/index.ts'

let standIn: StandIn

beforeAll(async () => {
  standIn = await serveStandIn(createUpstashApp({ token: 'secret' }))
})

afterAll(() => standIn.stop())

interface Sent {
  readonly path?: string
  readonly body?: unknown
  readonly raw?: string
  readonly method?: string
  readonly headers?: Record<string, string>
}

async function ask({ path = '/', body, raw, method = 'POST', headers = {} }: Sent) {
  const text = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  const response = await fetch(`${standIn.url}${path}`, {
    method,
    headers: { authorization: 'Bearer secret', ...headers },
    ...(text !== undefined && { body: text }),
  })
  return {
    status: response.status,
    body: JSON.parse(await response.text()) as unknown,
    headers: response.headers,
  }
}

describe('who may ask', () => {
  test.each([
    ['no token', {}],
    ['a wrong token', { authorization: 'Bearer wrong' }],
    ['another scheme', { authorization: 'Basic secret' }],
  ])('%s is refused with 401 and runs nothing', async (_, headers) => {
    const response = await fetch(standIn.url, { method: 'POST', headers, body: '["SET","intruder","1"]' })
    expect(response.status).toBe(401)
    expect(await response.json()).toEqual({ error: 'WRONGPASS invalid or missing auth token' })
    expect((await ask({ body: ['EXISTS', 'intruder'] })).body).toEqual({ result: 0 })
  })

  test('the token may stand in the query', async () => {
    const response = await fetch(`${standIn.url}/ping?_token=secret`)
    expect(await response.json()).toEqual({ result: 'PONG' })
  })
})

describe('a single command', () => {
  test('answers 200 with its result', async () => {
    expect((await ask({ body: ['SET', 'k', 'héllo'] })).body).toEqual({ result: 'OK' })
    expect(await ask({ body: ['GET', 'k'] })).toMatchObject({ status: 200, body: { result: 'héllo' } })
  })

  test('takes numbers and booleans, and integers beyond 2^53 exactly', async () => {
    expect((await ask({ raw: '["SET","n",9007199254740993]' })).body).toEqual({ result: 'OK' })
    const response = await fetch(standIn.url, {
      method: 'POST',
      headers: { authorization: 'Bearer secret' },
      body: '["INCR","n"]',
    })
    expect(await response.text()).toBe('{"result":9007199254740994}')
    await ask({ body: ['SET', 'b', true] })
    expect((await ask({ body: ['GET', 'b'] })).body).toEqual({ result: 'true' })
  })

  test('that fails answers 400 with the error', async () => {
    expect(await ask({ body: ['GET'] })).toMatchObject({
      status: 400,
      body: { error: "ERR wrong number of arguments for 'get' command" },
    })
  })

  test.each([
    ['not JSON', '{'],
    ['no array', '{"a":1}'],
    ['a nested array', '["SET",["k"],"v"]'],
    ['a null', '["GET",null]'],
    ['an empty array', '[]'],
    ['nothing', ''],
  ])('whose body is %s answers 400 with an ERR', async (_, raw) => {
    const { status, body } = await ask({ raw })
    expect(status).toBe(400)
    expect(body).toEqual({ error: expect.stringMatching(/^ERR /) })
  })

  test('larger than the limit answers 413 and the server goes on', async () => {
    const { status } = await ask({ body: ['SET', 'big', 'x'.repeat(11 * 1024 * 1024)] })
    expect(status).toBe(413)
    expect((await ask({ body: ['PING'] })).status).toBe(200)
  })

  test('may stand in the path, its value in the body, its options in the query', async () => {
    expect((await ask({ path: '/set/path%20key/v%2Fw', method: 'GET' })).body).toEqual({ result: 'OK' })
    expect((await ask({ path: '/get/path%20key', method: 'GET' })).body).toEqual({ result: 'v/w' })
    expect((await ask({ path: '/set/path%20key?EX=100', raw: 'from the body' })).body).toEqual({
      result: 'OK',
    })
    expect((await ask({ path: '/get/path%20key', method: 'GET' })).body).toEqual({ result: 'from the body' })
    const { body } = await ask({ path: '/ttl/path%20key', method: 'GET' })
    expect((body as { result: number }).result).toBeGreaterThan(90)
  })

  test.each(['MULTI', 'SUBSCRIBE', 'BLPOP', 'SELECT', 'CONFIG'])('%s is not available', async (name) => {
    const { status, body } = await ask({ body: [name, 'x'] })
    expect(status).toBe(400)
    expect(body).toEqual({ error: expect.stringContaining(`Command is not available: '${name}'`) })
  })
})

describe('a pipeline', () => {
  test('answers 200 with a result or an error for each command', async () => {
    const { status, body } = await ask({
      path: '/pipeline',
      body: [['SET', 'p', 'x'], ['INCR', 'p'], ['MULTI'], ['GET', 'p']],
    })
    expect(status).toBe(200)
    expect(body).toEqual([
      { result: 'OK' },
      { error: 'ERR value is not an integer or out of range' },
      { error: expect.stringContaining('not available') },
      { result: 'x' },
    ])
  })

  test.each(['[]', '["PING"]', '{}', '[["PING"],{}]'])('that is %s answers 400', async (raw) => {
    expect((await ask({ path: '/pipeline', raw })).status).toBe(400)
  })
})

describe('a transaction', () => {
  test('runs as one, and an error inside does not undo the rest', async () => {
    const { body } = await ask({
      path: '/multi-exec',
      body: [
        ['SET', 't', 'x'],
        ['INCR', 't'],
        ['APPEND', 't', 'y'],
      ],
    })
    expect(body).toEqual([
      { result: 'OK' },
      { error: expect.stringContaining('not an integer') },
      { result: 2 },
    ])
  })

  test('with a command that cannot be queued runs nothing', async () => {
    const { status, body } = await ask({ path: '/multi-exec', body: [['SET', 'untouched', '1'], ['NOPE']] })
    expect(status).toBe(400)
    expect(body).toEqual({ error: 'EXECABORT Transaction discarded because of previous errors.' })
    expect((await ask({ body: ['EXISTS', 'untouched'] })).body).toEqual({ result: 0 })
  })
})

test('base64 encodes every string but a top-level OK, and no error', async () => {
  const headers = { 'upstash-encoding': 'base64' }
  const encode = (text: string) => Buffer.from(text).toString('base64')
  const { body } = await ask({
    path: '/pipeline',
    headers,
    body: [['SET', 'e', 'OK'], ['GET', 'e'], ['HSET', 'eh', 'f', 'v'], ['HGETALL', 'eh'], ['GET'], ['PING']],
  })
  expect(body).toEqual([
    { result: 'OK' },
    { result: encode('OK') },
    { result: 1 },
    { result: [encode('f'), encode('v')] },
    { error: "ERR wrong number of arguments for 'get' command" },
    { result: encode('PONG') },
  ])
})

test('bytes that are not UTF-8 come back unchanged in base64', async () => {
  await ask({ body: ['SETBIT', 'bits', 0, 1] })
  const { body } = await ask({ body: ['GET', 'bits'], headers: { 'upstash-encoding': 'base64' } })
  expect(body).toEqual({ result: Buffer.from([0x80]).toString('base64') })
})

test('every answer carries a sync token', async () => {
  expect((await ask({ body: ['PING'] })).headers.get('upstash-sync-token')).toMatch(/.+/)
})

test('a script that never ends is stopped, and the store goes on', async () => {
  const { status, body } = await ask({ body: ['EVAL', 'while true do pcall(function() end) end', 0] })
  expect(status).toBe(400)
  expect(body).toEqual({ error: expect.stringContaining('ran for too long') })
  expect((await ask({ body: ['PING'] })).body).toEqual({ result: 'PONG' })
})

describe('state in a file', () => {
  let folder: string
  const send = async (app: ReturnType<typeof createUpstashApp>, ...command: (string | number)[]) => {
    const response = await app.fetch(
      new Request('http://localhost/', {
        method: 'POST',
        headers: { authorization: 'Bearer secret' },
        body: JSON.stringify(command),
      }),
    )
    return ((await response.json()) as { result: unknown }).result
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'upstash-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('survives a restart, every type and its time of death', async () => {
    const statePath = join(folder, 'deep', 'redis.json')
    let now = 1_800_000_000_000
    const first = createUpstashApp({ token: 'secret', statePath, now: () => now })
    await send(first, 'SET', 's', 'héllo', 'PX', 5000)
    await send(first, 'HSET', 'h', 'f', 'v')
    await send(first, 'SADD', 'set', 'a', 'b')
    await send(first, 'ZADD', 'z', 'inf', 'm', 1.5, 'n')
    await send(first, 'RPUSH', 'l', 'x', 'y')
    await send(first, 'SETBIT', 'bits', 0, 1)
    await first.close?.()

    now += 1000
    const second = createUpstashApp({ token: 'secret', statePath, now: () => now })
    expect(await send(second, 'GET', 's')).toBe('héllo')
    expect(await send(second, 'PTTL', 's')).toBe(4000)
    expect(await send(second, 'HGETALL', 'h')).toEqual(['f', 'v'])
    expect(await send(second, 'SMEMBERS', 'set')).toEqual(['a', 'b'])
    expect(await send(second, 'ZRANGE', 'z', 0, -1, 'WITHSCORES')).toEqual(['n', '1.5', 'm', 'inf'])
    expect(await send(second, 'LRANGE', 'l', 0, -1)).toEqual(['x', 'y'])
    expect(await send(second, 'GETBIT', 'bits', 0)).toBe(1)
    now += 4001
    expect(await send(second, 'GET', 's')).toBe(null)
    await second.close?.()
  })

  test('is written without waiting for the end', async () => {
    const statePath = join(folder, 'soon.json')
    const app = createUpstashApp({ token: 'secret', statePath })
    await send(app, 'SET', 'k', 'v')
    await expect.poll(() => readFile(statePath, 'utf8').catch(() => ''), { timeout: 10_000 }).toContain('"k"')
    await app.close?.()
  })

  test.each([
    ['cut off', '{"format":"breakwater-upstash-1","rows":[["k","str'],
    ['of another kind', '{"hello":1}'],
    ['with a row that is none', '{"format":"breakwater-upstash-1","rows":[["k","hash","x",null]]}'],
  ])('that is %s is refused by name, with the way out, and left as it is', async (_, text) => {
    const statePath = join(folder, 'broken.json')
    await writeFile(statePath, text)
    expect(() => createUpstashApp({ token: 'secret', statePath })).toThrow(/broken\.json.*--reset/s)
    expect(await readFile(statePath, 'utf8')).toBe(text)
  })
})
