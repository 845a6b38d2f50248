import { env } from 'cloudflare:workers'
import { type Binding, type BindingKind, bindings, defineEnv, EnvironmentError } from 'breakwater/env'
import { expect, it } from 'vitest'

const source = env as unknown as Record<string, unknown>

const real: Record<Exclude<BindingKind, 'assets'>, string> = {
  r2: 'BUCKET',
  queue: 'QUEUE',
  kv: 'KV',
  d1: 'D1',
  images: 'IMAGES',
  hyperdrive: 'HYPERDRIVE',
  rateLimiter: 'NATIVE_LIMITER',
  secretsStore: 'STORED_SECRET',
  versionMetadata: 'CF_VERSION_METADATA',
  service: 'SELF_SERVICE',
  durableObject: 'PLAIN_OBJECT',
}
const kinds = Object.keys(bindings) as BindingKind[]
const declare = (kind: BindingKind): Binding<unknown> => (bindings[kind] as () => Binding<unknown>)()

it.each(Object.entries(real))('knows a real %s binding, and that it is nothing else', (kind, name) => {
  for (const declared of kinds) {
    const problems = defineEnv({ bindings: { [name]: declare(declared) } }).check(source)
    // Seen from inside, static assets are a service like any other; so is the local Secrets Store.
    const services = ['service', 'assets', 'secretsStore']
    const isService = kind === 'service' || kind === 'secretsStore'
    const same = declared === kind || (isService && services.includes(declared))
    expect(
      problems.map((p) => p.code),
      `${name} as ${declared}`,
    ).toEqual(same ? [] : ['binding'])
    if (!same) expect(problems[0]?.problem).toBe(`is ${isService ? 'service' : kind}, not ${declared}`)
  }
})

it.each(kinds)('says how to bind a missing %s', (kind) => {
  const definition = defineEnv({ bindings: { MISSING: declare(kind) } })
  expect(definition.check({})).toMatchObject([{ name: 'MISSING', code: 'binding', problem: 'is not bound' }])
  expect(definition.check({})[0]?.fix).toMatch(
    /^wrangler\.toml: \[\[?[a-z0-9_.]+\]\]? (binding|name) = "MISSING"$/,
  )
  expect(defineEnv({ bindings: { MISSING: declare(kind).optional() } }).check({})).toEqual([])
})

it.each(['text', 5, true, {}, [], () => {}])('refuses %s where a bucket belongs', (value) => {
  const definition = defineEnv({ bindings: { B: bindings.r2() } })
  expect(() => definition.load({ B: value })).toThrow(EnvironmentError)
})

it('loads real bindings at module scope, as they are', () => {
  const loaded = defineEnv({ bindings: { BUCKET: bindings.r2(), QUEUE: bindings.queue() } }).load(env)
  expect(loaded.BUCKET).toBe(source['BUCKET'])
  expect(loaded.QUEUE).toBe(source['QUEUE'])
})
