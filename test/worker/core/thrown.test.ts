import { breakwater } from 'breakwater'
import { captureMiddleware } from 'breakwater/capture'
import { problems, type RequestContextEnv, requestContext } from 'breakwater/core'
import { log } from 'breakwater/log'
import { secure } from 'breakwater/secure'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

// A whole worker, as the reference app is put together, whose handlers throw what nobody should.
// As it stands in messages: what has the shape of a secret is masked in logs.
const SECRET = 'password=hunter2-never-shown'

class Unprintable extends Error {
  override toString(): string {
    throw new Error(`toString ${SECRET}`)
  }
  override get message(): string {
    throw new Error(`message ${SECRET}`)
  }
}

const THROWN: Readonly<Record<string, () => unknown>> = {
  'a string': () => SECRET,
  'an empty string': () => '',
  null: () => null,
  undefined: () => undefined,
  'a number': () => 42,
  'a symbol': () => Symbol(SECRET),
  'a plain object': () => ({ status: 200, password: SECRET }),
  'an object without a prototype': () => Object.create(null),
  'a Proxy that throws at every touch': () =>
    new Proxy(
      {},
      {
        get: () => {
          throw new Error(SECRET)
        },
        getPrototypeOf: () => {
          throw new Error(SECRET)
        },
        has: () => {
          throw new Error(SECRET)
        },
        ownKeys: () => {
          throw new Error(SECRET)
        },
      },
    ),
  'a revoked Proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  'an Error whose toString and message throw': () => new Unprintable(),
  'an Error that is its own cause': () => {
    const error = new Error('round and round')
    error.cause = error
    return error
  },
  'a frozen Error': () => Object.freeze(new Error('cold')),
  'a Response': () => new Response(SECRET, { status: 200 }),
  'a promise that rejects': () => Promise.reject(new Error(SECRET)),
  'a function': () => () => SECRET,
}

const lines: string[] = []
const told: string[] = []

beforeEach(() => {
  lines.length = 0
  told.length = 0
  for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, level).mockImplementation(
      (...what: unknown[]) => void lines.push(what.map(String).join(' ')),
    )
  }
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (_input, init) => {
    told.push(typeof init?.body === 'string' ? init.body : '')
    return new Response('{}')
  })
})
afterEach(() => vi.restoreAllMocks())

async function ask(kind: string, where: 'handler' | 'outside'): Promise<Response> {
  const make = THROWN[kind] ?? (() => undefined)
  const app = problems(
    new Hono<RequestContextEnv>()
      .use(captureMiddleware())
      .use(requestContext())
      .use(log())
      .use(secure({ csrf: { origins: ['https://app.acme.dev'] } }))
      .get('/', () => {
        throw make()
      }),
  )
  const broken = {
    fetch(): Promise<Response> {
      throw make()
    },
  }
  const worker = breakwater<object>({
    app: where === 'handler' ? app : broken,
    capture: { dsn: 'https://key@errors.acme.dev/1' },
  })
  const waiting: Promise<unknown>[] = []
  const context = {
    waitUntil: (promise: Promise<unknown>) => void waiting.push(promise),
    passThroughOnException() {},
    props: {},
  } as unknown as ExecutionContext
  const reply = await worker.fetch(new Request('https://app.acme.dev/'), {}, context)
  await Promise.allSettled(waiting)
  return reply
}

describe.each(['handler', 'outside'] as const)('thrown in or outside of a handler: %s', (where) => {
  it.each(Object.keys(THROWN))(
    '%s is answered 500 as a problem, logged, and gives nothing away',
    async (kind) => {
      const reply = await ask(kind, where)
      expect(reply.status).toBe(500)
      expect(reply.headers.get('content-type')).toBe('application/problem+json')
      const text = await reply.text()
      const id = reply.headers.get('x-request-id')
      expect(JSON.parse(text)).toMatchObject({ status: 500, code: 'internal', instance: `urn:uuid:${id}` })
      expect(text + JSON.stringify([...reply.headers])).not.toContain('hunter2')
      expect(lines.join('\n')).not.toContain('hunter2')
      if (where === 'handler') expect(lines.join('\n')).toContain(String(id))
    },
  )
})
