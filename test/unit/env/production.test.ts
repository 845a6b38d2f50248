import { createHash, randomBytes } from 'node:crypto'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import {
  bindings,
  defineEnv,
  email,
  integer,
  oneOf,
  origin,
  postgresUrl,
  rotatingSecret,
  secret,
  text,
  url,
} from 'breakwater/env'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { productionFaults } from '../../../src/env/production.ts'

const RELEASE = { RELEASE: '1.2.3' }
const random = () => randomBytes(32).toString('base64')

/** The codes of what production says about one value. */
function faults(value: string, schema: StandardSchemaV1 = text()) {
  const env = defineEnv({ vars: { A: schema } })
  // What is refused is refused in production only.
  expect(env.check({ A: value })).toEqual([])
  return env.check({ A: value, ENVIRONMENT: 'production', ...RELEASE }).map((p) => p.code)
}

describe('production refuses addresses of development', () => {
  it.each([
    'https://localhost:8787',
    'https://LOCALHOST',
    'https://localhost.',
    'https://app.localhost',
    'https://127.0.0.1',
    'https://127.1',
    'https://0x7f.0.0.1',
    'https://2130706433',
    'https://0.0.0.0:80',
    'https://10.1.2.3',
    'https://172.16.0.1',
    'https://172.31.255.255',
    'https://192.168.1.1',
    'https://169.254.169.254/latest',
    'https://100.64.0.1',
    'https://[::1]:8787',
    'https://[::]',
    'https://[::ffff:10.0.0.1]',
    'https://[fe80::1]',
    'https://[fd12:3456::1]',
    'https://[2001:db8::1]',
    'https://printer.local',
    'https://api.corp.internal',
    'https://host.docker.internal',
    'https://acme.test',
    'https://acme.example',
    'https://example.com',
    'https://api.example.org/v1',
    'https://db',
    'https://abc.ngrok-free.app',
    'https://a-b.trycloudflare.com',
    'https://10.0.0.1.nip.io',
  ])('%s', (value) => {
    expect(faults(value, url())).toEqual(['private-address'])
    expect(faults(value, z.string())).toEqual(['private-address'])
  })

  it.each([
    ['postgres://user:key@localhost:5432/db', postgresUrl({ pooled: false })],
    ['postgres://user:key@0x7f.1/db', postgresUrl({ pooled: false })],
    ['postgres://user:key@postgres/db', postgresUrl({ pooled: false })],
    ['hello@acme.example', email()],
    ['Acme <hello@acme.test>', email({ displayName: true })],
    ['localhost:6379', text()],
    ['10.0.0.7', text()],
    ['redis.internal:6379', text()],
  ])('%s', (value, schema) => {
    expect(faults(value, schema)).toEqual(['private-address'])
  })

  it.each([
    ['https://acme.dev', origin()],
    ['https://localhost.acme.dev', origin()],
    ['https://internal.acme.dev', origin()],
    ['https://172.15.0.1', url()],
    ['https://172.32.0.1', url()],
    ['https://100.128.0.1', url()],
    ['https://1.1.1.1', url()],
    ['https://[2606:4700::1111]', url()],
    ['https://contest.dev/local/test?x=localhost', url()],
    ['hello@localmail.dev', email()],
    ['Acme & Sons <hello@acme.dev>', email({ displayName: true })],
    ['10', text()],
    ['0.5', text()],
    ['v10.2.3', text()],
    ['my-bucket', text()],
    ['Insert coin: 5', text()],
    ['none', text()],
    ['debug', oneOf(['debug', 'test'])],
    ['10', integer()],
  ])('but not %s', (value, schema) => {
    expect(faults(value, schema)).toEqual([])
  })

  it('even when they come from a default', () => {
    const env = defineEnv({ vars: { A: url().default('https://localhost:1') } })
    expect(env.check({ ENVIRONMENT: 'production', ...RELEASE }).map((p) => p.code)).toEqual([
      'private-address',
    ])
  })
})

describe('production refuses what is not encrypted', () => {
  it.each([
    'http://acme.dev',
    'HTTP://acme.dev',
    'ws://acme.dev',
    'redis://acme.dev:6379',
    'postgres://u:p@ep-x-pooler.neon.tech/db?sslmode=disable',
  ])('%s', (value) => {
    expect(faults(value)).toEqual(['insecure-url'])
  })
})

describe('production refuses keys and hosts of test accounts', () => {
  const hex = 'a1b2c3d4e5f60718'
  it.each([
    `sk_test_51H8x${hex}`,
    `pk_test_51H8x${hex}`,
    `rk_test_51H8x${hex}`,
    `whsec_${hex.repeat(4)}`,
    'POSTMARK_API_TEST',
    '1x00000000000000000000AA',
    '2x00000000000000000000AB',
    '3x00000000000000000000FF',
    '1x0000000000000000000000000000000AA',
    '6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI',
    '6LeIxAcTAAAAAGG-vFI1TnRWxMZNFuojJ4WifJWe',
    '10000000-ffff-ffff-ffff-000000000001',
    '+15005550006',
    `pdl_sdbx_apikey_${hex}`,
    `test_${hex}${hex}`,
    `sandbox-sq0idb-${hex}`,
    `access-sandbox-${hex}`,
    `sandbox_${hex}`,
    `access_token$sandbox$${hex}`,
    `rzp_test_${hex}`,
    `FLWSECK_TEST-${hex}`,
    `sk_sbox_${hex}`,
    'https://api-m.sandbox.paypal.com',
    'https://sandbox.plaid.com',
    'https://connect.squareupsandbox.com',
    'https://checkout-test.adyen.com/v71',
    'https://api.sandbox.braintreegateway.com',
    'sandbox.smtp.mailtrap.io',
    'https://sandbox.api.mailtrap.io/api/send',
    'Acme <onboarding@resend.dev>',
  ])('%s', (value) => {
    expect(faults(value)).toEqual(['test-key'])
  })

  it.each([
    `sk_live_51H8x${hex}`,
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    '0x4AAAAAAADnPIDROrmt1Wwj',
    '6LdKlZEpAAAAAAOQjzC2v_d36tWxCl6dWsozdSy9',
    'https://api-m.paypal.com',
    'https://live.adyen.com',
    'hello@sandboxes.dev',
    'testimonials',
  ])('but not %s', (value) => {
    expect(faults(value)).toEqual([])
  })
})

describe('production refuses placeholders', () => {
  it.each([
    'changeme',
    'CHANGE_ME',
    'change-this',
    'replace-with-key',
    'your-api-key-here',
    'YOUR_KEY',
    'xxx',
    'xxxxxxxxxxxx',
    're_xxxxxxxx',
    'TODO',
    'todo: set',
    'placeholder',
    'AKIAIOSFODNN7EXAMPLE',
    '<api key>',
    '********',
    'sk_live_...',
    `\${API_KEY}`,
    'undefined',
    'postgres://user:password@ep-x-pooler.neon.tech/db',
  ])('%s', (value) => {
    expect(faults(value)).toEqual(['placeholder'])
  })
})

describe('production refuses weak secrets', () => {
  it.each([
    'tooshort',
    'a'.repeat(40),
    'abcdefgh'.repeat(5),
    '0123456789'.repeat(4),
    'abcdefghijklmnopqrstuvwxyz0123456789',
    'correct horse battery staple and another thing',
    'this-is-my-very-secret-session-key',
    'MySuperSecretSessionPasswordForProduction',
    'password'.repeat(5),
    '12345678901234567890123456789012',
    'deadbeefdeadbeefdeadbeefdeadbeef',
  ])('%s', (value) => {
    expect(faults(value, secret())).toEqual(['weak-secret'])
    expect(faults(value, rotatingSecret())).toEqual(['weak-secret'])
  })

  it('looks at every one of a list', () => {
    expect(faults(`${random()},${'a'.repeat(40)}`, rotatingSecret())).toEqual(['weak-secret'])
    expect(faults(`${random()}, ${random()}`, rotatingSecret())).toEqual([])
  })

  it('takes the length its owner decided', () => {
    expect(faults('q7Zt0aKx9LmB', secret({ minBytes: 12 }))).toEqual([])
  })

  it('lets pass what a generator makes', () => {
    // Always the same eight thousand keys: a test that draws new ones fails somebody some day.
    const refused: string[] = []
    for (let i = 0; i < 2000; i++) {
      const key = createHash('sha256').update(`key ${i}`).digest()
      const made = [
        key.toString('hex'),
        key.toString('hex', 0, 16),
        key.toString('base64'),
        key.toString('base64url'),
      ]
      for (const value of made) {
        const [fault] = productionFaults({ kind: 'secret', expected: '', secret: true }, value)
        if (fault) refused.push(value)
      }
    }
    expect(refused).toEqual([])
  })
})

describe('production refuses', () => {
  it('one secret in two roles, rotated ones included', () => {
    const shared = random()
    const env = defineEnv({ vars: { A: secret(), B: rotatingSecret(), C: secret() } })
    const source = { A: shared, B: `${random()},${shared}`, C: random(), ...RELEASE }
    expect(env.check(source)).toEqual([])
    expect(env.check({ ...source, ENVIRONMENT: 'production' })).toMatchObject([
      { name: 'B', code: 'shared-secret', problem: 'is the same secret as A' },
    ])
  })

  it.each([
    ['postgres://u:k@ep-cool-1.eu-central-1.aws.neon.tech/db', ['unpooled']],
    ['postgres://u:k@ep-cool-1-pooler.eu-central-1.aws.neon.tech/db', []],
    ['postgres://u:k@db.acme.dev/db?pgbouncer=true', []],
    ['postgres://u:k@aws-0-eu-central-1.pooler.supabase.com:6543/postgres', []],
  ])('a database without a pooler: %s', (value, expected) => {
    expect(faults(value, postgresUrl())).toEqual(expected)
    expect(faults(value, postgresUrl({ pooled: false }))).toEqual([])
  })

  it('a release that nobody can tell', () => {
    const env = defineEnv({ bindings: { CF_VERSION_METADATA: bindings.versionMetadata().optional() } })
    const production = { ENVIRONMENT: 'production' }
    expect(env.check(production).map((p) => p.code)).toEqual(['no-release'])
    expect(env.check({ ...production, RELEASE: 'abc' })).toEqual([])
    expect(env.check({ ...production, CF_VERSION_METADATA: { id: 'x', tag: '', timestamp: '' } })).toEqual([])
    expect(env.check(production, 'vars')).toEqual([])
  })
})

describe('the rules of production', () => {
  it.each(['production', 'Production', 'prod', 'live'])('hold where ENVIRONMENT is %s', (ENVIRONMENT) => {
    expect(defineEnv({}).check({ ENVIRONMENT })).toHaveLength(1)
  })

  it.each([undefined, 'development', 'preview', 'reproduction', 1])(
    'do not where it is %s',
    (ENVIRONMENT) => {
      expect(defineEnv({}).check({ ENVIRONMENT })).toEqual([])
    },
  )

  it('hold where the app says so, and not where it turned them off', () => {
    const when = (source: Readonly<Record<string, unknown>>) => source['STAGE'] === 'p'
    expect(defineEnv({ production: { when } }).check({ STAGE: 'p' })).toHaveLength(1)
    expect(defineEnv({ production: false }).check({ ENVIRONMENT: 'production' })).toEqual([])
  })

  it('have exceptions, one variable and one rule at a time', () => {
    const env = defineEnv({
      vars: { A: url(), B: url() },
      production: { allow: { A: ['insecure-url'], RELEASE: ['no-release'] } },
    })
    // @ts-expect-error No such variable.
    defineEnv({ vars: { A: url() }, production: { allow: { B: ['insecure-url'] } } })
    const problems = env.check({ ENVIRONMENT: 'production', A: 'http://localhost', B: 'http://acme.dev' })
    expect(problems.map((p) => `${p.name}:${p.code}`)).toEqual(['A:private-address', 'B:insecure-url'])
  })
})
