import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createSentryApp, type StandIn, serveStandIn } from 'breakwater/local'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { bundling } from '../../../bench/support/bundling.ts'
import { main } from '../../../src/cli/main.ts'
import { eventually } from '../support/visitor.ts'

const folder = mkdtempSync(join(tmpdir(), 'breakwater-maps-'))
const kept = join(folder, 'kept')
let standIn: StandIn

beforeAll(async () => {
  standIn = await serveStandIn(createSentryApp({ artifacts: kept, sources: folder }))
})
afterAll(async () => {
  await standIn.stop()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => standIn.faults.clear())

async function sourcemaps(...args: string[]) {
  vi.stubEnv('SENTRY_URL', standIn.url)
  vi.stubEnv('SENTRY_AUTH_TOKEN', 'a-token')
  vi.stubEnv('SENTRY_ORG', 'acme')
  vi.stubEnv('SENTRY_PROJECT', 'shop')
  const cwd = vi.spyOn(process, 'cwd').mockReturnValue(folder)
  const said = { out: '', err: '' }
  const spies = (['stdout', 'stderr'] as const).map((to) =>
    vi.spyOn(process[to], 'write').mockImplementation((text) => {
      said[to === 'stdout' ? 'out' : 'err'] += String(text)
      return true
    }),
  )
  try {
    return { code: await main(['sourcemaps', ...args]), ...said }
  } finally {
    for (const spy of [...spies, cwd]) spy.mockRestore()
    vi.unstubAllEnvs()
  }
}

/** Writes files into a folder of their own. */
function files(name: string, contents: Readonly<Record<string, string>>): string {
  const place = join(folder, name)
  for (const [file, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(place, file)), { recursive: true })
    writeFileSync(join(place, file), text)
  }
  return place
}

interface Seen {
  id: string
  type: string
  payload: {
    debug_meta?: { images: { type: string; code_file: string; debug_id: string }[] }
    exception: { values: { stacktrace: { frames: { filename: string; function: string }[] } }[] }
  }
  originals?: ({ filename: string; lineno: number; context?: { from: number; lines: string[] } } | null)[][]
}
const events = async (): Promise<Seen[]> =>
  ((await (await fetch(`${standIn.url}/api/events?type=event`)).json()) as { events: Seen[] }).events
const detail = async (id: string): Promise<Seen> =>
  (await fetch(`${standIn.url}/api/events/${id}`)).json() as Promise<Seen>
const page = async (id: string): Promise<string> => (await fetch(`${standIn.url}/events/${id}`)).text()

const WORKER = {
  'src/index.ts': `import { createCapture, withCapture } from 'breakwater/capture'
import { checkout } from './shop.ts'
export default withCapture((env: { DSN: string }) => createCapture({ dsn: env.DSN, tracesSampleRate: 0 }), {
  async fetch(request: Request) {
    return new Response(String(checkout(new URL(request.url).pathname)))
  },
})
`,
  'src/shop.ts': `interface Cart { readonly total: number }

function totalOf(path: string): Cart {
  // The line that people look for.
  throw new RangeError('no cart at ' + path)
}

export function checkout(path: string): number {
  const { total } = totalOf(path)
  return total * 2
}
`,
}

async function bundled(name: string): Promise<string> {
  const place = files(name, WORKER)
  await build({
    ...bundling,
    entryPoints: [join(place, 'src/index.ts')],
    outfile: join(place, 'dist/index.js'),
    sourcemap: true,
    logLevel: 'silent',
  })
  return join(place, 'dist')
}

/** Runs a bundled worker as it was deployed, and asks it once. */
async function run(dist: string): Promise<void> {
  const dsn = `${standIn.url.replace('//', '//key@')}/1`
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      modules: [
        { type: 'ESModule', path: 'index.js', contents: readFileSync(join(dist, 'index.js'), 'utf8') },
      ],
      compatibilityDate: '2026-10-01',
      compatibilityFlags: ['nodejs_compat'],
      host: '127.0.0.1',
      port: 0,
      bindings: { DSN: dsn },
      handleStructuredLogs: () => {},
    }),
  )
  const before = (await events()).length
  await runtime.dispatchFetch('https://shop.example/carts').catch(() => {})
  await eventually(events, (found) => found.length > before)
  await runtime.dispose()
}

describe('a worker’s stack', () => {
  it('shows the original lines by debug id, whether the maps came before the event or after', async () => {
    const dist = await bundled('worker')
    expect(await sourcemaps('inject', dist)).toMatchObject({ code: 0, err: '' })
    await run(dist)
    const [event] = await events()
    const [image] = event?.payload.debug_meta?.images ?? []
    expect(image?.type).toBe('sourcemap')
    expect(readFileSync(join(dist, 'index.js'), 'utf8')).toContain(`//# debugId=${image?.debug_id}\n`)
    expect((await detail(event?.id ?? '')).originals).toBeUndefined()

    const uploaded = await sourcemaps('upload', dist, '--delete-maps')
    expect(uploaded).toMatchObject({ code: 0, err: '' })
    expect(existsSync(join(dist, 'index.js.map')), 'no map is deployed').toBe(false)
    const { originals, payload } = await detail(event?.id ?? '')
    const last = originals?.[0]?.at(-1)
    expect(last).toMatchObject({ filename: expect.stringMatching(/src\/shop\.ts$/), lineno: 5 })
    expect(last?.filename, 'no path of this machine').not.toContain(folder)
    expect(last?.context?.lines[5 - (last?.context?.from ?? 0)]).toContain('throw new RangeError')
    expect(originals?.[0]?.at(-2)).toMatchObject({ lineno: 9 })
    expect(originals?.[0]?.length).toBe(payload.exception.values[0]?.stacktrace.frames.length)
    const shown = await page(event?.id ?? '')
    expect(shown).toMatch(/src\/shop\.ts:5:\d+/)
    expect(shown).toContain('The line that people look for.')

    await run(dist)
    const [second] = await events()
    expect(second?.originals?.[0]?.at(-1)).toMatchObject({ lineno: 5 })
  })

  it('shows them for a build that lies in the project, as in development, without any upload', async () => {
    const dist = await bundled('beside')
    const line = readFileSync(join(dist, 'index.js'), 'utf8')
      .split('\n')
      .findIndex((text) => text.includes('no cart at'))
    const column =
      readFileSync(join(dist, 'index.js'), 'utf8').split('\n')[line]?.indexOf('new RangeError') ?? 0
    const send = async (filename: string) => {
      const frames = [{ filename, function: 'a', lineno: line + 1, colno: column + 1 }]
      const event = { exception: { values: [{ type: 'E', value: '', stacktrace: { frames } }] } }
      await fetch(`${standIn.url}/api/1/store/?sentry_key=k`, { method: 'POST', body: JSON.stringify(event) })
      return (await events())[0]
    }
    for (const name of [join(dist, 'index.js'), `file://${join(dist, 'index.js')}`]) {
      expect((await send(name))?.originals).toMatchObject([[{ filename: 'beside/src/shop.ts', lineno: 5 }]])
    }
    // Anybody may send an event: what is outside of the project is not looked at.
    const outside = mkdtempSync(join(tmpdir(), 'breakwater-outside-'))
    try {
      for (const file of ['index.js', 'index.js.map'])
        writeFileSync(join(outside, file), readFileSync(join(dist, file)))
      expect((await send(join(outside, 'index.js')))?.originals).toBeUndefined()
      expect(
        (await send(join(folder, '..', outside.split('/').at(-1) ?? '', 'index.js')))?.originals,
      ).toBeUndefined()
    } finally {
      rmSync(outside, { recursive: true })
    }
  })
})

describe('npx breakwater sourcemaps inject', () => {
  it('keeps what a script means, and every position of its map', async () => {
    const place = files('scripts', {
      'a.ts': `export const twice = (n: number): number => {\n  return n * 2\n}\nconsole.log(twice(21))\n`,
    })
    const common = { entryPoints: [join(place, 'a.ts')], sourcemap: true, logLevel: 'silent' as const }
    await build({ ...common, outfile: join(place, 'out/plain.js'), minify: true })
    await build({ ...common, outfile: join(place, 'out/bin.js'), banner: { js: '#!/usr/bin/env node' } })
    await build({
      ...common,
      outfile: join(place, 'out/strict.cjs'),
      format: 'cjs',
      banner: { js: '"use strict";' },
    })
    const out = join(place, 'out')
    const names = ['plain.js', 'bin.js', 'strict.cjs']
    const read = (name: string) => ({
      code: readFileSync(join(out, name), 'utf8'),
      map: JSON.parse(readFileSync(join(out, `${name}.map`), 'utf8')) as SourceMapPayload &
        Record<string, unknown>,
    })
    /** Where the source says `n * 2`, from where the script says it. */
    const origin = (name: string) => {
      const { code, map } = read(name)
      const lines = code.split('\n')
      const line = lines.findIndex((text) => /n ?\* ?2|\w\*2/.test(text))
      const entry = new SourceMap(map).findEntry(line, lines[line]?.search(/return|=>/) ?? 0)
      return 'originalLine' in entry ? entry.originalLine : undefined
    }
    const before = names.map(origin)
    expect((await sourcemaps('inject', out)).code).toBe(0)
    expect(names.map(origin)).toEqual(before)
    for (const name of names) {
      const { code, map } = read(name)
      const ran = spawnSync(process.execPath, [join(out, name)], { encoding: 'utf8' })
      expect(ran, name).toMatchObject({ stdout: '42\n', stderr: '' })
      const id = /\n\/\/# debugId=([\da-f-]{36})\n\/\/# sourceMappingURL=[\w.]+\n$/.exec(code)?.[1]
      expect(id, name).toMatch(/^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
      expect([map['debugId'], map['debug_id'], map['sourceRoot']]).toEqual([id, id, undefined])
      expect(map.sources.join(), 'no path of this machine').not.toMatch(/^\//)
    }
    expect(read('bin.js').code).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(read('strict.cjs').code).toMatch(/^"use strict"/)

    const once = names.map((name) => read(name))
    const again = await sourcemaps('inject', out)
    expect(again.out).toContain('(as before)')
    expect(names.map((name) => read(name))).toEqual(once)
  })

  it('gives the same build the same id, and another build another', async () => {
    const id = async (name: string, code: string) => {
      const map = '{"version":3,"sources":[],"mappings":"","names":[]}'
      const place = files(name, { 'a.js': `${code}\n//# sourceMappingURL=a.js.map\n`, 'a.js.map': map })
      const { out } = await sourcemaps('inject', place, '--json')
      return (JSON.parse(out) as { injected: { debugId: string }[] }).injected[0]?.debugId
    }
    const first = await id('one', 'f()')
    expect(await id('two', 'f()')).toBe(first)
    expect(await id('three', 'g()')).not.toBe(first)
  })

  it('says why it passes over a script, and fails where there is none', async () => {
    const place = files('none', {
      'plain.js': 'f()',
      'inline.js': 'f()\n//# sourceMappingURL=data:application/json;base64,e30=\n',
      'gone.js': 'f()\n//# sourceMappingURL=gone.js.map\n',
    })
    const said = await sourcemaps('inject', place)
    expect(said.code).toBe(1)
    expect(said.err).toMatch(/No script with a source map/)
    expect((await sourcemaps('inject', join(folder, 'nowhere'))).err).toMatch(/There is no/)
    expect((await sourcemaps('inject')).code).toBe(2)
  })
})

describe('npx breakwater sourcemaps upload', () => {
  const map = '{"version":3,"sources":["a.ts"],"sourcesContent":["f()"],"mappings":"AAAA","names":[]}'

  it('sends a large bundle in pieces, and nothing a second time', async () => {
    const noise = Array.from({ length: 60_000 }, (_, i) => `v${i}=${Math.sin(i)};`).join('\n')
    const place = files('large', { 'a.js': `${noise}\n//# sourceMappingURL=a.js.map\n`, 'a.js.map': map })
    await sourcemaps('inject', place)
    await sourcemaps('upload', place, '--keep', join(folder, 'kept.zip'))
    const bytes = readFileSync(join(folder, 'kept.zip')).length
    const upload = async () =>
      JSON.parse((await sourcemaps('upload', place, '--json')).out) as { sent: number; bytes: number }
    // A piece that gets lost on its way is sent again.
    standIn.faults.set([{ status: 502, times: 1, match: 'POST /api/0/organizations/acme/chunk-upload' }])
    const first = await upload()
    expect(first.bytes).toBe(bytes)
    expect(first.sent).toBe(bytes)
    expect((await upload()).sent).toBe(0)
    // A stand-in that is started anew still has them.
    const { Artifacts } = await import('../../../src/local/sentry/api/artifacts.ts')
    const id = /debugId=(\S+)/.exec(readFileSync(join(place, 'a.js'), 'utf8'))?.[1] ?? ''
    expect(new Artifacts(kept).sourceMap(id.toUpperCase())).toContain('"large/a.ts"')
  })

  it('refuses scripts without a debug id, and a wrong token, in a sentence', async () => {
    const place = files('bare', { 'a.js': 'f()\n//# sourceMappingURL=a.js.map\n', 'a.js.map': map })
    const said = await sourcemaps('upload', place)
    expect(said).toMatchObject({
      code: 1,
      err: expect.stringContaining('run breakwater sourcemaps inject first'),
    })
    await sourcemaps('inject', place)
    standIn.faults.set([{ status: 403 }])
    expect((await sourcemaps('upload', place)).err).toMatch(/needs the scopes/)
  })

  it('takes the token to no other host', async () => {
    const place = files('other', { 'a.js': 'h()\n//# sourceMappingURL=a.js.map\n', 'a.js.map': map })
    await sourcemaps('inject', place)
    const terms = {
      url: 'http://127.0.0.1:9/x',
      accept: ['artifact_bundles'],
      hashAlgorithm: 'sha1',
      chunkSize: 1,
    }
    standIn.faults.set([{ status: 200, body: JSON.stringify(terms) }])
    expect((await sourcemaps('upload', place)).err).toMatch(/where the token does not belong/)
  })
})
