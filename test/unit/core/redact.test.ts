import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSensitiveKey, redact, redactError } from '../../../src/core/redact.ts'
import { redactText } from '../../../src/core/redact-text.ts'

// Put together at run time, so that scanners of repositories do not take them for real.
const join = (...parts: string[]): string => parts.join('')
const B64 = 'Zm9vYmFyMTIzNDU2Nzg5MEFCQ0RFRkdISUpLTE1OT1A'

const SECRETS: Record<string, string> = {
  'a JSON Web Token': `${join('ey', 'JhbGciOiJIUzI1NiJ9')}.eyJzdWIiOiIxIn0.c2lnbmF0dXJl`,
  'a Stripe key': join('sk_', 'live_', '4eC39HqLyjWDarjtT1zdp7dc'),
  'a webhook secret': join('whsec', '_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'),
  'a GitHub token': join('ghp', '_16C7e42F292c6912E7710c838347Ae178B4a'),
  'a fine-grained GitHub token': join('github', '_pat_11ABCDEFG0abcdefghij_klmnopqrstuvwxyz'),
  'an AWS access key id': join('AKIA', 'IOSFODNN7EXAMPLE'),
  'a Resend key': join('re', '_c1tpEyD8_NKFusih9vKVQknRAQfmFcWCv'),
  'a Sentry token': join('sntrys', '_eyJpYXQiOjE2ODczMzY1NDMuNj_abc'),
  'a Slack token': join('xoxb', '-123456789012-abcdefGHIJ'),
  'an Upstash token': join('AYNg', 'ASQgODJjZWE1MjQtYTE3Zi00MDk4LWI4ZjAtZGE1MWNkMzQyNzc4'),
  'an opaque token of ours': B64,
  'an API key of ours without a digit': join('bwk', '_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV'),
  'a refresh token of ours': join('bwrt', '_abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuv'),
  'a 256 bit key in hexadecimal': '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'an e-mail address': 'ann.o.neil+news@mail.example.co.uk',
  'an international e-mail address': 'jürgen@bücher.example',
  'a card number': '4242 4242 4242 4242',
  'another card number': '378282246310005',
  'an IPv4 address': '203.0.113.77',
  'an IPv6 address': '2001:db8::8a2e:370:7334',
}

describe('what has the shape of a secret', () => {
  for (const [name, secret] of Object.entries(SECRETS)) {
    it(`is masked wherever it stands: ${name}`, () => {
      for (const text of [
        secret,
        `before ${secret} after`,
        `"${secret}"`,
        `at=(${secret}),`,
        `x: ${secret}\nnext`,
      ]) {
        expect(redactText(text)).not.toContain(secret)
      }
      const deep = JSON.stringify(redact({ a: [{ note: `see ${secret}!` }], m: new Map([[secret, 1]]) }))
      expect(deep).not.toContain(secret)
    })
  }

  it('is masked in headers, cookies, URLs, query strings, JSON and driver errors; the rest stays', () => {
    const cases: [string, string][] = [
      ['Authorization: Bearer abcdef123', 'Authorization: [redacted]'],
      ['sent Bearer abcdef123 along', 'sent Bearer [redacted] along'],
      ['Cookie: a=1; b=two', 'Cookie: [redacted]'],
      ['got __Host-session=abc.def; Path=/', 'got __Host-session=[redacted]; Path=/'],
      ['postgres://app:p@ss@db.example/x', 'postgres://[redacted]@db.example/x'],
      ['https://key@o1.ingest.example/7', 'https://[redacted]@o1.ingest.example/7'],
      ['GET /reset?token=abc&next=/home', 'GET /reset?token=[redacted]&next=/home'],
      ['GET /cb?code=abc&x=1', 'GET /cb?code=[redacted]&x=1'],
      ['{"password":"a b","n":1}', '{"password":[redacted],"n":1}'],
      ['Key (phone)=(0170 123) already exists.', 'Key (phone)=([redacted]) already exists.'],
      [
        'Failed query: select $1\nparams: ann,pw\nmore\n    at x',
        'Failed query: select $1\nparams: [redacted]\n    at x',
      ],
      [
        `Unexpected token 'h', "hunter2" is not valid JSON`,
        `Unexpected token 'h', [redacted] is not valid JSON`,
      ],
      ['invalid input syntax for type uuid: "hunter2"', 'invalid input syntax for type uuid: [redacted]'],
    ]
    for (const [text, expected] of cases) expect(redactText(text)).toBe(expected)
  })
})

it('leaves what people need to read', () => {
  for (const text of [
    'Cannot read properties of undefined (reading "x")',
    '019ab3c4-1234-7abc-89ab-0123456789ab',
    'trace 4bf92f3577b34da6a3ce929d0e0e4736',
    'commit 5f2a1c9e7b3d4f6a8c0e1d2b3a4f5c6d7e8f9a0b',
    'at handler (file:///app/node_modules/SomeThing/dist/index.js:12:34)',
    '1763853647000',
    '4242 4242 4242 4241',
    'Mozilla/5.0 Chrome/120.0.0.0',
    '12:30:45',
    'aVeryLongIdentifierInCamelCaseWithoutDigitsIn',
    'Unexpected token < in JSON at position 0',
    'there would never about these',
    'createTheUIOfTheXMLHttpRequestInAnHTMLPage',
  ]) {
    expect(redactText(text)).toBe(text)
  }
  expect(redactText('from 203.0.113.77', { keepAddresses: true })).toBe('from 203.0.113.77')
})

it('masks by the name of the key, whatever the value looks like', () => {
  for (const key of [
    'password',
    'newPassword',
    'x-api-key',
    'API_KEY',
    'Set-Cookie',
    'authorization',
    'client_secret',
    'refreshToken',
    'DATABASE_URL',
    'SENTRY_DSN',
    'session',
    'otp',
    'cardNumber',
    'user.email',
  ]) {
    expect(isSensitiveKey(key), key).toBe(true)
    expect(redact({ [key]: 'plain' })).toEqual({ [key]: '[redacted]' })
    expect(redact({ [key]: { inner: 1 } })).toEqual({ [key]: '[redacted]' })
  }
  for (const key of ['status', 'author', 'route', 'design', 'spinner', 'keyboard', 'passenger'.slice(0, 4)]) {
    expect(isSensitiveKey(key), key).toBe(false)
  }
  expect(redact({ Plate: 'B-1' }, { keys: ['plate'] })).toEqual({ Plate: '[redacted]' })
  expect(redact(new Headers({ authorization: 'x y', accept: 'a/b' }))).toEqual({
    authorization: '[redacted]',
    accept: 'a/b',
  })
  expect(redact([['cookie', 'a=1']])).toEqual([['cookie', '[redacted]']])
  expect(redact({ hasPassword: true, token: null })).toEqual({ hasPassword: true, token: null })
})

it('survives anything', () => {
  const boom = (): never => {
    throw new Error('trap')
  }
  const cyclic: Record<string, unknown> = { n: 1 }
  cyclic['self'] = cyclic
  const shared = { x: 1 }
  const endless = {
    entries: function* (): Generator<[string, number]> {
      for (let i = 0; ; i++) yield [`k${i}`, i]
    },
    [Symbol.iterator]() {
      return this.entries()
    },
  }
  const proxy = new Proxy({}, { get: boom, ownKeys: boom, getPrototypeOf: boom, has: boom })
  const value = {
    cyclic,
    twice: [shared, shared],
    big: 1n,
    symbol: Symbol('s'),
    nan: Number.NaN,
    fn: boom,
    date: new Date(Number.NaN),
    bytes: new Uint8Array(3),
    set: new Set([1, 'a@b.example']),
    get getter() {
      return boom()
    },
    proxy,
    endless,
    ['__proto__x']: 1,
    error: new AggregateError([new Error('a', { cause: cyclic })], 'both'),
  }
  const safe = redact(value)
  expect(() => JSON.stringify(safe)).not.toThrow()
  expect(safe).toMatchObject({
    cyclic: { n: 1, self: '[circular]' },
    twice: [{ x: 1 }, { x: 1 }],
    big: '1',
    symbol: 'Symbol(s)',
    nan: 'NaN',
    fn: '[function]',
    date: 'Invalid Date',
    bytes: '[3 bytes]',
    set: [1, '[email]'],
    getter: '[unreadable]',
    proxy: '[unreadable]',
    error: { name: 'AggregateError', message: 'both', errors: [{ message: 'a' }] },
  })
  expect(redactError(proxy)).toBe('[unreadable]')
  const polluted = redact(JSON.parse('{"__proto__":{"admin":true}}')) as object
  expect(Object.getPrototypeOf(polluted)).toBe(Object.prototype)
  expect(({} as { admin?: unknown }).admin).toBeUndefined()
})

it('bounds depth, values and length', () => {
  let deep: unknown = 'bottom'
  for (let i = 0; i < 10_000; i++) deep = { deep }
  expect(JSON.stringify(redact(deep)).length).toBeLessThan(200)
  expect(JSON.stringify(redact(new Array(100_000).fill('x'))).length).toBeLessThan(10_000)
  expect(JSON.stringify(redact(new Array(1000).fill('y '.repeat(9999)))).length).toBeLessThan(200_000)
  // A secret at the cut is not left over by half.
  const secret = `${join('ey', 'JhbGciOiJIUzI1NiJ9')}.eyJzdWIiOiIxIn0.c2lnbmF0dXJl`
  for (let room = 1; room < secret.length; room++) {
    const out = redactText(`${'a '.repeat(2048 - room / 2)}${secret}`, { maxLength: 4096 })
    expect(out).not.toContain(secret.slice(0, 8))
  }
})

it('never lets a secret through, never throws, and gives JSON, for any value around it', () => {
  const secret = SECRETS['a Stripe key'] as string
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }),
      fc.string(),
      (value, text) => {
        const safe = JSON.stringify(redact({ value, text: `${text} ${secret}`, password: text }))
        expect(safe).not.toContain(secret)
        expect(JSON.parse(safe)).toHaveProperty('password', '[redacted]')
      },
    ),
  )
})
