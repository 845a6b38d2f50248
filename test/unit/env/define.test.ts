import { type } from 'arktype'
import {
  bindings,
  boolean,
  defineEnv,
  describe as described,
  duration,
  EnvironmentError,
  type EnvProblem,
  email,
  type InferBindings,
  type InferEnv,
  integer,
  oneOf,
  origin,
  postgresUrl,
  rotatingSecret,
  secret,
  sentryDsn,
  text,
  url,
  variable,
} from 'breakwater/env'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'

const codes = (problems: readonly EnvProblem[]) => problems.map((p) => `${p.name}:${p.code}`)

const whole = defineEnv({
  vars: {
    ENVIRONMENT: oneOf(['development', 'production']),
    TEXT: text(),
    INTEGER: integer({ min: 1, max: 10 }),
    BOOLEAN: boolean(),
    DURATION: duration(),
    URL: url(),
    ORIGIN: origin(),
    DATABASE_URL: postgresUrl(),
    EMAIL: email(),
    MAILBOX: email({ displayName: true }),
    DSN: sentryDsn(),
    KEY: secret({ minBytes: 8 }),
    ROTATING: rotatingSecret({ minBytes: 8 }),
  },
})

const fit = {
  ENVIRONMENT: 'development',
  TEXT: 'hello',
  INTEGER: '7',
  BOOLEAN: 'false',
  DURATION: '15m',
  URL: 'https://api.acme.dev/v1?x=1',
  ORIGIN: 'https://app.acme.dev:8443',
  DATABASE_URL: 'postgresql://user:p%40ss@ep-cool-pooler.eu-central-1.aws.neon.tech/db?sslmode=require',
  EMAIL: 'hello@acme.dev',
  MAILBOX: 'Acme, Inc. <hello@acme.dev>',
  DSN: 'https://0123456789abcdef@o1.ingest.sentry.io/42',
  KEY: '12345678',
  ROTATING: 'newsecret1, oldsecret0',
}

describe('a declared environment', () => {
  it('gives parsed values, each of its own type', () => {
    const env = whole.load(fit)
    expect(env).toEqual({
      ...fit,
      INTEGER: 7,
      BOOLEAN: false,
      DURATION: 900_000,
      ROTATING: ['newsecret1', 'oldsecret0'],
    })
    expectTypeOf(env.INTEGER).toEqualTypeOf<number>()
    expectTypeOf(env.BOOLEAN).toEqualTypeOf<boolean>()
    expectTypeOf(env.ENVIRONMENT).toEqualTypeOf<'development' | 'production'>()
    expectTypeOf(env.ROTATING).toEqualTypeOf<readonly [string, ...string[]]>()
    expect(Object.isFrozen(env)).toBe(true)
  })

  it('reports every missing variable at once, in the order of declaration', () => {
    const problems = whole.check({})
    expect(problems.map((p) => p.name)).toEqual(Object.keys(fit))
    expect(new Set(problems.map((p) => p.code))).toEqual(new Set(['missing']))
    expect(() => whole.load(undefined)).toThrow(EnvironmentError)
  })

  it.each(['', ' ', '\n\t '])('counts %j as not set', (blank) => {
    const source = Object.fromEntries(Object.keys(fit).map((name) => [name, blank]))
    expect(codes(whole.check(source))).toEqual(Object.keys(fit).map((name) => `${name}:missing`))
  })

  it.each([{}, [], 1.5, 12345678n, () => 'x', Symbol('s')])(
    'refuses a value of another type: %s',
    (value) => {
      const source = Object.fromEntries(Object.keys(fit).map((name) => [name, value]))
      const wrong = Object.keys(fit).filter((name) => !(name === 'DURATION' && value === 1.5))
      expect(codes(whole.check(source))).toEqual(wrong.map((name) => `${name}:invalid`))
    },
  )

  it('says what is wrong, what was expected and how to put it right', () => {
    expect(whole.check({ ...fit, ENVIRONMENT: 'staging', ROTATING: undefined })).toEqual([
      {
        name: 'ENVIRONMENT',
        code: 'invalid',
        problem: 'is not one of development, production',
        fix: 'wrangler.toml: [vars] ENVIRONMENT = "…"',
      },
      {
        name: 'ROTATING',
        code: 'missing',
        problem: 'is not set',
        expected: 'different secrets of 8 bytes or more, newest first, with commas between',
        fix: 'openssl rand -base64 32 | wrangler secret put ROTATING',
      },
    ])
  })

  it('points at a pasted newline, which nobody sees', () => {
    expect(whole.check({ ...fit, KEY: '123456789\n' })[0]?.problem).toContain('white space around it')
  })

  it.each([
    ['INTEGER', '0'],
    ['INTEGER', '11'],
    ['INTEGER', '1e1'],
    ['INTEGER', '0x1'],
    ['INTEGER', '9007199254740993'],
    ['BOOLEAN', '1'],
    ['BOOLEAN', 'TRUE'],
    ['DURATION', '15'],
    ['DURATION', '-1s'],
    ['URL', 'ftp://acme.dev'],
    ['URL', '//acme.dev'],
    ['URL', 'javascript:alert(1)'],
    ['ORIGIN', 'https://acme.dev/'],
    ['ORIGIN', 'https://acme.dev:443'],
    ['ORIGIN', 'https://user@acme.dev'],
    ['ORIGIN', 'null'],
    ['DATABASE_URL', 'https://acme.dev/db'],
    ['DATABASE_URL', 'postgres://host/db'],
    ['DATABASE_URL', 'postgres://user@host'],
    ['DATABASE_URL', 'postgres://user@host/'],
    ['EMAIL', 'acme.dev'],
    ['EMAIL', 'a b@acme.dev'],
    ['EMAIL', 'Acme <hello@acme.dev>'],
    ['EMAIL', 'a@b@acme.dev'],
    ['MAILBOX', 'Acme <hello@acme.dev>\r\nBcc: all@acme.dev'],
    ['MAILBOX', 'Acme\n <hello@acme.dev>'],
    ['DSN', 'https://o1.ingest.sentry.io/42'],
    ['DSN', 'https://key@o1.ingest.sentry.io/'],
    ['KEY', '1234567'],
    ['ROTATING', 'longenough,'],
    ['ROTATING', 'longenough,,longenough2'],
    ['ROTATING', 'longenough,short'],
    ['ROTATING', 'longenough, longenough'],
  ])('refuses %s = %j', (name, value) => {
    expect(codes(whole.check({ ...fit, [name]: value }))).toEqual([`${name}:invalid`])
  })

  it('takes numbers and booleans as [vars] can hold them', () => {
    expect(whole.load({ ...fit, INTEGER: 3, BOOLEAN: true, DURATION: 1500 })).toMatchObject({
      INTEGER: 3,
      BOOLEAN: true,
      DURATION: 1500,
    })
  })

  it('counts the length of a secret in bytes, not in characters', () => {
    expect(whole.check({ ...fit, KEY: 'éééé' })).toEqual([])
  })

  it('fills in what may be left out', () => {
    const some = defineEnv({
      vars: { A: text().optional(), B: integer().default(5), C: secret().optional() },
    })
    const env = some.load({ A: '', B: '' })
    expect(env).toEqual({ A: undefined, B: 5, C: undefined })
    expectTypeOf(env.A).toEqualTypeOf<string | undefined>()
    expectTypeOf(env.B).toEqualTypeOf<number>()
    expectTypeOf<InferBindings<typeof some>>().toEqualTypeOf<{
      A?: string
      B?: string | number
      C?: string
    }>()
  })

  it('examines one environment once', () => {
    let calls = 0
    const counted = variable<string>({ kind: 'counted', expected: 'anything' }, (value) => {
      calls++
      return String(value)
    })
    const env = defineEnv({ vars: { A: counted } })
    const source = { A: 'x' }
    expect(env.load(source)).toBe(env.load(source))
    expect(calls).toBe(1)
    env.load({ A: 'y' })
    expect(calls).toBe(2)
  })

  it('infers what c.env holds, and what load returns', () => {
    const env = defineEnv({
      vars: { A: oneOf(['x', 'y']), N: integer(), S: rotatingSecret() },
      bindings: {
        UPLOADS: bindings.r2(),
        JOBS: bindings.queue<{ id: string }>(),
        CACHE: bindings.kv().optional(),
      },
    })
    type Raw = InferBindings<typeof env>
    expectTypeOf<Raw>().toEqualTypeOf<{
      A: 'x' | 'y'
      N: string | number
      S: string
      UPLOADS: R2Bucket
      JOBS: Queue<{ id: string }>
      CACHE?: KVNamespace
    }>()
    type Parsed = InferEnv<typeof env>
    expectTypeOf<Parsed['S']>().toEqualTypeOf<readonly [string, ...string[]]>()
    expectTypeOf<Parsed['CACHE']>().toEqualTypeOf<KVNamespace | undefined>()
    expectTypeOf<Parsed['UPLOADS']>().not.toBeAny()
    expectTypeOf(env.load).returns.toEqualTypeOf<Parsed>()
  })
})

describe('a wrong definition', () => {
  it.each<[string, () => unknown]>([
    ['a name that Workers cannot have', () => defineEnv({ vars: { 'a-b': text() } })],
    ['a name that is both', () => defineEnv({ vars: { A: text() }, bindings: { A: bindings.r2() } })],
    ['something that is no schema', () => defineEnv({ vars: { A: {} as never } })],
    ['something that is no binding', () => defineEnv({ bindings: { A: {} as never } })],
    ['a secret with a default', () => (secret() as unknown as ReturnType<typeof text>).default('x')],
    ['a text marked secret, with a default', () => text({ secret: true }).default('x')],
  ])('throws when built: %s', (_, build) => {
    expect(build).toThrow(TypeError)
  })
})

describe('schemas of other libraries', () => {
  const env = defineEnv({
    vars: {
      ZOD: z.coerce.number().int(),
      ZOD_LEVEL: z.enum(['debug', 'info']).default('info'),
      VALIBOT: v.pipe(v.string(), v.minLength(3)),
      VALIBOT_MAYBE: v.optional(v.string()),
      ARK: type('string.integer.parse'),
      ARK_LEVEL: type("'debug' | 'info'"),
    },
  })

  it('parse and infer', () => {
    const loaded = env.load({ ZOD: '4', VALIBOT: 'abc', ARK: '5', ARK_LEVEL: 'debug' })
    expect(loaded).toEqual({
      ZOD: 4,
      ZOD_LEVEL: 'info',
      VALIBOT: 'abc',
      VALIBOT_MAYBE: undefined,
      ARK: 5,
      ARK_LEVEL: 'debug',
    })
    expectTypeOf(loaded.ZOD).toEqualTypeOf<number>()
    expectTypeOf(loaded.ZOD_LEVEL).toEqualTypeOf<'debug' | 'info'>()
    expectTypeOf(loaded.ARK).toEqualTypeOf<number>()
    expectTypeOf<InferBindings<typeof env>>().toEqualTypeOf<{
      ZOD: string
      ZOD_LEVEL?: 'debug' | 'info'
      VALIBOT: string
      VALIBOT_MAYBE?: string
      ARK: string
      ARK_LEVEL: 'debug' | 'info'
    }>()
  })

  it('report what is missing', () => {
    expect(codes(env.check({}))).toEqual([
      'ZOD:missing',
      'VALIBOT:missing',
      'ARK:missing',
      'ARK_LEVEL:missing',
    ])
  })

  it('keep their messages to themselves, since they repeat the input', () => {
    const value = 'hunter2-very-secret'
    const source = { ZOD: value, ZOD_LEVEL: value, VALIBOT: 'x', ARK: value, ARK_LEVEL: value }
    const problems = env.check(source)
    expect(problems).toHaveLength(5)
    expect(JSON.stringify(problems)).not.toContain('hunter2')
    // That the caution is needed: this library does repeat it.
    const result = type("'debug' | 'info'")['~standard'].validate(value)
    expect(JSON.stringify(result)).toContain('hunter2')
  })

  it('may speak when the variable is declared not to be secret', () => {
    const open = defineEnv({
      vars: {
        LEVEL: described(type("'debug' | 'info'"), { secret: false, description: 'What is logged' }),
        KEY: described(z.string().min(40), { secret: true, expected: 'a key of the mail provider' }),
      },
    })
    const [level, key] = open.check({ LEVEL: 'loud', KEY: 'short' })
    expect(level?.problem).toContain('"debug" or "info"')
    expect(level?.fix).toBe('wrangler.toml: [vars] LEVEL = "…"')
    expect(key).toMatchObject({
      problem: 'is not a key of the mail provider',
      fix: 'wrangler secret put KEY',
    })
    expectTypeOf(open.load).returns.toEqualTypeOf<Readonly<{ LEVEL: 'debug' | 'info'; KEY: string }>>()
  })

  it('are refused when asynchronous, and their rejection goes nowhere', async () => {
    const later = {
      '~standard': { version: 1, vendor: 'later', validate: () => Promise.reject(new Error('no')) },
    } as const
    const env = defineEnv({ vars: { A: later, B: text() } })
    const asked = defineEnv({ vars: { A: z.string().refine(async (value) => value.length > 1) } })
    expect(codes(asked.check({ A: 'x' }))).toEqual(['A:async-schema'])
    expect(codes(env.check({ A: 'x' }))).toEqual(['A:async-schema', 'B:missing'])
    // An unhandled rejection would fail the run.
    await new Promise((resolve) => setTimeout(resolve, 10))
  })

  it('that throw are a problem like any other, without what they threw', () => {
    const rude = {
      '~standard': {
        version: 1,
        vendor: 'rude',
        validate(value: unknown): never {
          throw new Error(`cannot take ${value}`)
        },
      },
    } as const
    const problems = defineEnv({ vars: { A: rude } }).check({ A: 'hunter2' })
    expect(codes(problems)).toEqual(['A:invalid'])
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })
})
