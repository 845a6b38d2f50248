import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, it } from 'vitest'

// The package as somebody else gets it: packed, installed from the tarball into an app of its own, bundled by
// wrangler, run by workerd.
const app = mkdtempSync(join(tmpdir(), 'breakwater-app-'))
const repository = resolve(import.meta.dirname, '../../..')

const run = (command: string, args: string[], cwd: string): string =>
  execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: '1' },
  })

let tarball: string

beforeAll(() => {
  run('npm', ['pack', '--pack-destination', app], repository)
  tarball = readdirSync(app).find((name) => name.endsWith('.tgz')) ?? ''
  cpSync(join(import.meta.dirname, 'app'), app, { recursive: true })
  const { devDependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  writeFileSync(
    join(app, 'package.json'),
    JSON.stringify({
      name: 'scratch-app',
      private: true,
      type: 'module',
      dependencies: {
        breakwater: `file:${tarball}`,
        hono: devDependencies.hono,
        'drizzle-orm': devDependencies['drizzle-orm'],
      },
    }),
  )
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'], app)
}, 180_000)

afterAll(() => rmSync(app, { recursive: true, force: true }))

it('ships what runs and nothing else', () => {
  const files = run('tar', ['-tzf', join(app, tarball)], app).split('\n')
  expect(files).toContain('package/dist/index.js')
  expect(files).toContain('package/dist/index.d.ts')
  expect(files).toContain('package/bin/breakwater.js')
  expect(files.filter((file) => /^package\/(src|test|worker|bench)\//.test(file))).toEqual([])
})

it('type-checks in an app that does not know our settings', () => {
  const tsc = join(repository, 'node_modules/typescript-native/bin/tsc')
  mkdirSync(join(app, 'node_modules/@cloudflare'), { recursive: true })
  cpSync(
    join(repository, 'node_modules/@cloudflare/workers-types'),
    join(app, 'node_modules/@cloudflare/workers-types'),
    { recursive: true },
  )
  expect(run(process.execPath, [tsc, '-p', 'tsconfig.json'], app)).toBe('')
})

it('is bundled by wrangler and answers in workerd', async () => {
  const wrangler = join(repository, 'node_modules/wrangler/bin/wrangler.js')
  run(process.execPath, [wrangler, 'deploy', '--dry-run', '--outdir', 'out'], app)
  const bundle = readFileSync(join(app, 'out/index.js'), 'utf8')
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: bundle,
      compatibilityDate: '2026-10-01',
      compatibilityFlags: ['nodejs_compat'],
    }),
  )
  try {
    const reply = await miniflare.dispatchFetch('http://localhost/hello')
    expect(await reply.text()).toBe('hello from outside, 1 decision')
    expect(reply.status).toBe(200)
    expect(reply.headers.get('ratelimit')).toMatch(/^"default";r=\d+/)
  } finally {
    await miniflare.dispose()
  }
}, 60_000)

it('brings its command line along', () => {
  const version = run('npx', ['--no-install', 'breakwater', '--version'], app).trim()
  expect(version).toMatch(/^\d+\.\d+\.\d+/)
})
