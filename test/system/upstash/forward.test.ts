import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createUpstashApp } from '../../../src/local/upstash/index.ts'
import { type RealRedis, startRedis } from './differential.ts'

let redis: RealRedis | undefined

beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis?.stop())

type App = ReturnType<typeof createUpstashApp>

async function ask(app: App, path: string, body: unknown) {
  const response = await app.fetch(
    new Request(`http://localhost${path}`, {
      method: 'POST',
      headers: { authorization: 'Bearer t' },
      body: JSON.stringify(body),
    }),
  )
  return { status: response.status, body: (await response.json()) as unknown }
}

describe('in front of a real server', () => {
  let app: App

  beforeEach(async (context) => {
    if (!redis) {
      context.skip('redis-server is not on PATH')
      return
    }
    app = createUpstashApp({ token: 't', redisUrl: redis.url })
    await ask(app, '/', ['FLUSHALL'])
    return async () => {
      await app.close?.()
    }
  })

  test("a script with Upstash's flag is known by the SHA-1 of its own text", async () => {
    const source = `#!lua flags=allow-key-locking\nreturn ARGV[1] -- ${Math.random()}`
    const sha = createHash('sha1').update(source).digest('hex')
    expect((await ask(app, '/', ['EVALSHA', sha, 0, 'x'])).body).toEqual({
      error: 'NOSCRIPT No matching script. Please use EVAL.',
    })
    expect((await ask(app, '/', ['EVAL', source, 0, 'x'])).body).toEqual({ result: 'x' })
    expect((await ask(app, '/', ['EVALSHA', sha, 0, 'y'])).body).toEqual({ result: 'y' })
    expect((await ask(app, '/', ['SCRIPT', 'EXISTS', sha, 'nope'])).body).toEqual({ result: [1, 0] })
    expect((await ask(app, '/', ['SCRIPT', 'LOAD', source])).body).toEqual({ result: sha })
  })

  test('its errors name the script by the SHA-1 that the client knows', async () => {
    const source = '#!lua flags=allow-key-locking\n\nerror("x")'
    const sha = createHash('sha1').update(source).digest('hex')
    expect((await ask(app, '/', ['EVAL', source, 0])).body).toEqual({
      error: `ERR user_script:3: x script: ${sha}, on @user_script:3.`,
    })
  })

  test('nothing of another client comes between the commands of a transaction', async () => {
    await ask(app, '/', ['SET', 'n', 0])
    const rounds = Array.from({ length: 50 }, () =>
      ask(app, '/multi-exec', [
        ['INCR', 'n'],
        ['INCR', 'n'],
      ]),
    )
    for (const { body } of await Promise.all(rounds)) {
      const [{ result: first }, { result: second }] = body as [{ result: number }, { result: number }]
      expect(second - first).toBe(1)
    }
  })

  test('large answers arrive whole, whatever pieces they come in', async () => {
    const value = 'ü'.repeat(400_000)
    await ask(app, '/', ['SET', 'big', value])
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(app, '/', ['GET', 'big'])))
    for (const { body } of answers) expect((body as { result: string }).result === value).toBe(true)
  })
})

test('a server that is not there answers 503, and is found again when it comes', async (context) => {
  const gone = await startRedis()
  if (!gone) {
    context.skip('redis-server is not on PATH')
    return
  }
  const app = createUpstashApp({ token: 't', redisUrl: gone.url })
  expect((await ask(app, '/', ['SET', 'k', 'v'])).status).toBe(200)
  await gone.stop()
  const { status, body } = await ask(app, '/', ['GET', 'k'])
  expect(status).toBe(503)
  expect(body).toEqual({ error: expect.stringMatching(/^ERR .*cannot be reached/) })
  const port = Number(new URL(gone.url).port)
  const again = await startRedis(port)
  expect((await ask(app, '/', ['PING'])).body).toEqual({ result: 'PONG' })
  await app.close?.()
  await again?.stop()
})

test.each(['', 'localhost:6379', 'http://user:hidden@host', 'redis:'])(
  '%j is refused and not shown',
  (redisUrl) => {
    expect(() => createUpstashApp({ token: 't', redisUrl })).toThrow(/redis:\/\/… or rediss:\/\/…/)
  },
)
