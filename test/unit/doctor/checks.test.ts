import { checks, type DoctorCheck } from 'breakwater/doctor'
import { describe, expect, it } from 'vitest'
import { fakeGit, fakeSite, project, soundToml, verdict } from './support.ts'

function check(id: string): DoctorCheck {
  const found = checks.find((candidate) => candidate.id === id)
  if (found === undefined) throw new Error(`no check ${id}`)
  return found
}

const environment = (toml: string): string => `${soundToml}\n${toml}`

describe('a sound project', () => {
  const site = fakeSite({
    '/': {
      headers: {
        'Strict-Transport-Security': 'max-age=63072000; includeSubDomains',
        'Content-Security-Policy': "default-src 'self'; script-src 'self' 'nonce-abc' 'unsafe-inline'",
        'X-Content-Type-Options': 'nosniff',
      },
    },
    '/livez': { body: '{"status":"pass"}' },
    '/readyz': { body: '{"status":"warn"}' },
  })

  it.each(checks.map((each) => each.id))('passes %s', async (id) => {
    const toml = id === 'WRANGLER-16' ? `${soundToml}\n[env]` : soundToml
    const expected = id === 'WRANGLER-16' ? 'skip' : 'pass'
    const database = { findings: async () => [] }
    expect(await verdict(check(id), project({ toml, site, database, queries: [] }))).toBe(expected)
  })
})

describe('what cannot be seen is not judged', () => {
  it.each(checks.map((each) => each.id))('%s', async (id) => {
    const nothing = project({ wrangler: 'none', definition: 'none', site: 'none', git: () => undefined })
    expect(await verdict(check(id), nothing)).toBe('skip')
  })
})

describe('ENV-1', () => {
  it('finds a secret that no table declares', async () => {
    const toml = soundToml.replace('required = ["SESSION_SECRET"]', 'required = []')
    const result = await check('ENV-1').run(project({ toml }))
    expect(result).toMatchObject({
      findings: [{ hint: expect.stringContaining('add "SESSION_SECRET" to required in [secrets]') }],
    })
  })

  it('knows that secrets are not inherited by an environment', async () => {
    const toml = environment('[env.production]\nname = "sound-production"')
    const result = await check('ENV-1').run(project({ toml, environment: 'production' }))
    expect(result).toMatchObject({
      findings: [
        {
          hint: 'wrangler.toml: add "SESSION_SECRET" to required in [env.production.secrets], then: wrangler secret put SESSION_SECRET --env production',
        },
      ],
    })
  })

  it("takes a secret of the account's Secrets Store", async () => {
    const toml = environment(
      '[[secrets_store_secrets]]\nbinding = "SESSION_SECRET"\nstore_id = "s"\nsecret_name = "n"',
    ).replace('required = ["SESSION_SECRET"]', 'required = []')
    expect(await verdict(check('ENV-1'), project({ toml }))).toBe('pass')
  })
})

describe('ENV-2', () => {
  const withVar = (line: string) => soundToml.replace('[vars]', `[vars]\n${line}`)

  it.each([
    'SESSION_SECRET = "whatever"',
    'API_KEY = "abc"',
    'STRIPE = "sk_live_abcdef"',
    'HOOK = "whsec_abcdef"',
    'DB = "postgres://user:hunter2@host/db"',
    'GIT = "ghp_abcdef"',
    'PEM = "-----BEGIN PRIVATE KEY-----"',
  ])('finds %s', async (line) => {
    const found = await check('ENV-2').run(project({ toml: withVar(line) }))
    expect(found.status).toBe('fail')
    expect(JSON.stringify(found)).not.toContain(line.split('"')[1])
  })

  it.each([
    'API_KEY = ""',
    'TURNSTILE_SITE_KEY = "0x4AAAA"',
    'STRIPE_PUBLISHABLE_KEY = "pk_live_abc"',
    'ACCESS_TOKEN_TTL = "15m"',
    'SENTRY_DSN = "https://abc@o1.ingest.sentry.io/1"',
    'HOME = "https://acme.dev/@user:x"',
    'MAX_TOKENS = "100"',
  ])('lets %s be', async (line) => {
    expect(await verdict(check('ENV-2'), project({ toml: withVar(line) }))).toBe('pass')
  })

  it('looks into every environment, since all are in git', async () => {
    const toml = environment('[env.staging.vars]\nOPS_TOKEN = "x"')
    expect(await verdict(check('ENV-2'), project({ toml }))).toEqual([
      'OPS_TOKEN is a secret and stands in [env.staging.vars]',
    ])
  })
})

describe('ENV-4', () => {
  it('finds a file of secrets in git, wherever it is', async () => {
    const git = fakeGit(['.dev.vars', 'apps/api/.env.production', 'environment.ts', '.env.example'], [])
    expect(await verdict(check('ENV-4'), project({ git }))).toEqual([
      '.dev.vars is in git',
      'apps/api/.env.production is in git',
    ])
  })

  it('finds that .dev.vars is not ignored, even before it is there', async () => {
    const result = await check('ENV-4').run(project({ git: fakeGit([], []) }))
    expect(result).toMatchObject({
      findings: [{ message: '.dev.vars is not ignored by git', hint: 'echo .dev.vars >> .gitignore' }],
    })
  })
})

describe('ENV-5', () => {
  it('finds values that do not fit, and says nothing of secrets, which are not in the file', async () => {
    const toml = soundToml
      .replace('NAME = "Sound"', 'NAME = "changeme"')
      .replace('required = ["SESSION_SECRET"]', '')
    expect(await verdict(check('ENV-5'), project({ toml }))).toEqual(['NAME is a placeholder'])
  })

  it('finds variables that nothing sets', async () => {
    const toml = soundToml.replace('NAME = "Sound"', '')
    expect(await verdict(check('ENV-5'), project({ toml }))).toEqual(['NAME is not set; expected text'])
  })

  it('finds a missing binding and one of another kind', async () => {
    const toml = soundToml
      .replace(
        '[[r2_buckets]]\nbinding = "UPLOADS"\nbucket_name = "uploads"',
        '[[kv_namespaces]]\nbinding = "UPLOADS"\nid = "x"',
      )
      .replace('binding = "JOBS"', 'binding = "OTHER"')
    expect(await check('ENV-5').run(project({ toml }))).toMatchObject({
      findings: [
        {
          message: 'UPLOADS is in [kv_namespaces], but a r2 binding is needed',
          hint: 'wrangler.toml: [[r2_buckets]] binding = "UPLOADS"',
        },
        { message: 'JOBS is not bound' },
      ],
    })
  })

  it('judges the environment it is asked about, and speaks of its tables', async () => {
    const toml = environment('[env.production.vars]\nENVIRONMENT = "development"\nNAME = "x"')
    const result = await check('ENV-5').run(project({ toml, environment: 'production' }))
    expect(result).toMatchObject({
      findings: [
        {
          message: 'UPLOADS is not bound',
          hint: 'wrangler.toml: [[env.production.r2_buckets]] binding = "UPLOADS"',
        },
        { message: 'JOBS is not bound' },
        { hint: 'wrangler.toml: ENVIRONMENT = "production" in [env.production.vars]' },
      ],
    })
  })
})

describe('wrangler.toml', () => {
  it.each([
    ['WRANGLER-7', '"2026-10-01"', '"2025-11-01"', ['The compatibility date 2025-11-01 is 386 days old']],
    ['WRANGLER-7', 'compatibility_date = "2026-10-01"', '', ['There is no compatibility date']],
    ['WRANGLER-9', '[observability]\nenabled = true', '', ['Workers Logs are off']],
    [
      'WRANGLER-9',
      '[observability]\nenabled = true',
      '[observability]\nenabled = false\n[observability.logs]\nenabled = true',
      'pass',
    ],
    [
      'WRANGLER-9',
      'enabled = true',
      'enabled = true\nhead_sampling_rate = 0',
      ['Workers Logs are on, but no request is sampled'],
    ],
    ['WRANGLER-11', 'upload_source_maps = true', '', ['Stack traces in logs will show bundled code']],
    [
      'WRANGLER-12',
      'workers_dev = false',
      '',
      ['The Worker also answers on workers.dev, past the WAF and rate limits of your domain'],
    ],
    ['WRANGLER-12', 'workers_dev = false', 'routes = ["app.acme.dev/*"]', 'pass'],
    [
      'WRANGLER-12',
      'preview_urls = false',
      '',
      ["Every version may get a public preview URL that uses production's secrets"],
    ],
    [
      'WRANGLER-15',
      'dead_letter_queue = "jobs-dead"',
      '',
      ['Messages of jobs that keep failing are lost', 'Messages of jobs-dead that keep failing are lost'],
    ],
    ['WRANGLER-15', 'dead_letter_queue = "jobs-dead"', 'dead_letter_queue = "jobs"', expect.any(Array)],
  ])('%s sees %j become %j', async (id, from, to, expected) => {
    expect(soundToml).toContain(from)
    expect(await verdict(check(id), project({ toml: soundToml.replace(from, to) }))).toEqual(expected)
  })

  it('WRANGLER-12 knows what an environment inherits', async () => {
    const toml = environment('[env.production]\nworkers_dev = true')
    expect(await verdict(check('WRANGLER-12'), project({ toml, environment: 'production' }))).toHaveLength(1)
    expect(await verdict(check('WRANGLER-12'), project({ toml }))).toBe('pass')
  })

  it('WRANGLER-16 lists what an environment does not repeat', async () => {
    const toml = environment(`
[env.production.vars]
NAME = "x"
[[env.production.r2_buckets]]
binding = "UPLOADS"
bucket_name = "production-uploads"
[env.production.version_metadata]
binding = "CF_VERSION_METADATA"`)
    expect(await check('WRANGLER-16').run(project({ toml }))).toMatchObject({
      findings: [
        {
          message: 'JOBS is not there in env.production: queues.producers is not inherited',
          hint: 'wrangler.toml: repeat JOBS in [[env.production.queues.producers]]',
        },
        { message: expect.stringContaining('ENVIRONMENT') },
        { message: expect.stringContaining('SESSION_SECRET') },
      ],
    })
  })
})

describe('the live site', () => {
  const page = (headers: Record<string, string>) => project({ site: fakeSite({ '/': { headers } }) })

  it.each([
    [{}, ['/ has no Strict-Transport-Security header']],
    [
      { 'Strict-Transport-Security': 'max-age=300' },
      ['Strict-Transport-Security holds for 300 seconds only'],
    ],
    [
      { 'Strict-Transport-Security': 'includeSubDomains' },
      ['Strict-Transport-Security holds for 0 seconds only'],
    ],
    [{ 'Strict-Transport-Security': 'includeSubDomains; MAX-AGE="31536000"' }, 'pass'],
  ])('HTTP-19 of %j', async (headers, expected) => {
    expect(await verdict(check('HTTP-19'), page(headers as Record<string, string>))).toEqual(expected)
  })

  it('HTTP-19 does not count over http:', async () => {
    expect(await verdict(check('HTTP-19'), project({ site: fakeSite({}, 'http://localhost:8787') }))).toBe(
      'skip',
    )
  })

  it.each([
    [undefined, ['/ has no Content-Security-Policy header']],
    ["frame-ancestors 'none'", ['The policy says nothing about scripts']],
    ['default-src *', ['The policy lets scripts through with *']],
    ["script-src 'self' 'unsafe-inline'", ["The policy lets scripts through with 'unsafe-inline'"]],
    ["script-src 'nonce-x' 'unsafe-inline'", 'pass'],
    ["default-src *; script-src 'none'", 'pass'],
  ])('HTTP-20 of %j', async (value, expected) => {
    expect(await verdict(check('HTTP-20'), page(value ? { 'Content-Security-Policy': value } : {}))).toEqual(
      expected,
    )
  })

  it('HTTP-21 wants nosniff', async () => {
    expect(await verdict(check('HTTP-21'), page({}))).toHaveLength(1)
    expect(await verdict(check('HTTP-21'), page({ 'X-Content-Type-Options': 'NoSniff' }))).toBe('pass')
  })

  it.each([
    ['TypeError: x\n    at handler (/srv/worker/index.ts:12:5)\n', 404, ['shows a stack']],
    ['{"stack":"Error at file:///worker/index.js:1:22"}', 404, ['shows a stack']],
    ['cannot find node_modules/hono', 500, ['shows a stack']],
    ['oops', 500, ['answers 500']],
    ['Not found. We met at 10:30:15 at the cafe', 404, []],
  ])('HTTP-28 of %j', async (body, status, expected) => {
    const site = fakeSite({ '/breakwater-doctor/no-such-page': { status, body } })
    const said = await verdict(check('HTTP-28'), project({ site }))
    expect(said).toEqual(
      expected.length === 0 ? 'pass' : expected.map((part) => expect.stringContaining(part)),
    )
  })

  it('OPS-52 wants both probes to answer and to pass', async () => {
    const site = fakeSite({
      '/livez': { body: '<html>' },
      '/readyz': { status: 503, body: '{"status":"fail"}' },
    })
    expect(await verdict(check('OPS-52'), project({ site }))).toEqual([
      '/livez answers 200, and no health document',
      '/readyz says that a critical dependency is out',
    ])
  })
})
