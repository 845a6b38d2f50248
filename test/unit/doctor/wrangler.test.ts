import { expect, it } from 'vitest'
import { parseJsonc } from '../../../src/doctor/jsonc.ts'
import { bindingsOf, environmentOf, parseWrangler } from '../../../src/doctor/wrangler.ts'

it('reads JSON with comments and trailing commas, and leaves texts alone', () => {
  const text = `\uFEFF{
    // a comment, with "quotes"
    "url": "https://acme.dev/*not a comment*/", /* one
    over lines */ "list": [1, 2,
    ],
    "tricky": "a \\" // b, ]",
  }`
  expect(parseJsonc(text)).toEqual({
    url: 'https://acme.dev/*not a comment*/',
    list: [1, 2],
    tricky: 'a " // b, ]',
  })
  expect(() => parseJsonc('{"a": }')).toThrow(SyntaxError)
})

it('sees the same in every format', () => {
  const toml = parseWrangler('wrangler.toml', '[[r2_buckets]]\nbinding = "B"\n[env.staging]\nname = "x"')
  const json = parseWrangler(
    'wrangler.jsonc',
    '{"r2_buckets": [{"binding": "B"}], "env": {"staging": {"name": "x"}}} // end',
  )
  expect(json.top).toEqual(toml.top)
  expect(json.environments).toEqual(['staging'])
})

it('says where a file cannot be parsed, and quotes nothing of it', () => {
  const toml = '[vars]\nKEY = "hunter2-secret\n'
  expect(() => parseWrangler('wrangler.toml', toml)).toThrow(
    /^wrangler\.toml cannot be parsed: .* in line 2$/,
  )
  for (const [file, text] of [
    ['wrangler.toml', toml],
    ['wrangler.json', '{"KEY": hunter2-secret}'],
  ] as const) {
    try {
      parseWrangler(file, text)
      expect.unreachable()
    } catch (error) {
      expect(String(error)).not.toContain('hunter2')
    }
  }
})

it('hands settings down to an environment, but neither bindings nor variables nor secrets', () => {
  const config = parseWrangler(
    'wrangler.toml',
    `compatibility_date = "2026-10-01"
[observability]
enabled = true
[vars]
A = "1"
[secrets]
required = ["S"]
[[r2_buckets]]
binding = "B"
[[queues.consumers]]
queue = "q"
[assets]
directory = "public"
binding = "ASSETS"
[env.production]
workers_dev = false
[[env.production.kv_namespaces]]
binding = "K"`,
  )
  const { settings } = environmentOf(config, 'production')
  expect(Object.keys(settings).sort()).toEqual([
    'assets',
    'compatibility_date',
    'kv_namespaces',
    'observability',
    'workers_dev',
  ])
  expect(bindingsOf(settings).map((binding) => binding.name)).toEqual(['K', 'ASSETS'])
  expect(environmentOf(config).settings).not.toHaveProperty('env')
})
