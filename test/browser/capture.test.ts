import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CapturedRecord, type Local, startLocal } from 'breakwater/local'
import { build } from 'esbuild'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { eventually } from '../system/support/visitor.ts'
import { launch } from './chromium.ts'

// The page's own errors, in a real browser under the page's real security policy, on their way to the error tracker.
const state = mkdtempSync(join(tmpdir(), 'breakwater-page-'))
let local: Local
let browser: Browser
let context: BrowserContext
let page: Page
/** What the page sent to the tunnel, and how it was answered. */
let sent: { status: number; body: string }[] = []

beforeAll(async () => {
  ;[local, browser] = await Promise.all([startLocal({ state, crons: false }), launch()])
  context = await browser.newContext()
}, 120_000)
beforeEach(async () => {
  await page?.close()
  await fetch(`${local.sentry}/api/events`, { method: 'DELETE' })
  sent = []
  page = await context.newPage()
  page.on('response', (reply) => {
    if (!reply.url().endsWith('/_capture')) return
    sent.push({ status: reply.status(), body: reply.request().postData() ?? '' })
  })
  await page.goto(`${local.worker}/`)
  await expect.poll(() => page.locator('#said').textContent()).toBe('Not signed in.')
})
afterAll(async () => {
  await browser?.close()
  await local?.stop()
  rmSync(state, { recursive: true, force: true })
})

interface Event extends CapturedRecord {
  readonly payload: {
    readonly exception?: {
      readonly values: readonly {
        readonly type: string
        readonly value: string
        readonly mechanism: { readonly type: string; readonly handled: boolean }
        readonly stacktrace?: {
          readonly frames: readonly { readonly filename: string; readonly lineno: number }[]
        }
      }[]
    }
    readonly tags: Readonly<Record<string, string>>
    readonly measurements?: Readonly<Record<string, { readonly value: number }>>
    readonly contexts: { readonly trace: { readonly op?: string; readonly parent_span_id?: string } }
  }
}

const captured = async (query = ''): Promise<Event[]> =>
  ((await (await fetch(`${local.sentry}/api/events?${query}`)).json()) as { events: Event[] }).events
const ofPage = ({ payload }: Event): boolean => payload.tags?.['work'] === 'page'

/** Runs code in the page as a script of the page's own origin, which its policy lets run: what fails there is the page's. */
async function run(code: string): Promise<void> {
  await context.route('**/failing.js', (route) =>
    route.fulfill({ contentType: 'text/javascript', body: code }),
  )
  await page.addScriptTag({ url: '/failing.js', type: 'module' })
  await context.unroute('**/failing.js')
}

it('tells an uncaught error, masked, with its stack', async () => {
  await run('function total() {\n  throw new TypeError("no total for ann@example.com")\n}\ntotal()')
  const [event] = (
    await eventually(
      () => captured('type=event'),
      (all) => all.some(ofPage),
    )
  ).filter(ofPage)
  expect(event?.payload.exception?.values).toMatchObject([
    {
      type: 'TypeError',
      value: 'no total for [email]',
      mechanism: { type: 'onerror', handled: false },
    },
  ])
  const frames = event?.payload.exception?.values[0]?.stacktrace?.frames
  expect(frames?.at(-1)).toMatchObject({
    filename: `${local.worker}/failing.js`,
    function: 'total',
    lineno: 2,
  })
  expect(event).toMatchObject({ transaction: '/', environment: 'development' })
  expect(sent[0]?.status).toBe(204)
})

it('shows the original lines of a bundled script by its debug id', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-bundle-'))
  try {
    writeFileSync(
      join(folder, 'cart.ts'),
      'interface Cart { total: number }\n\nexport const fail = (cart: Cart): never => {\n  throw new RangeError(String(cart.total))\n}\nfail({ total: 7 })\n',
    )
    const outfile = join(folder, 'dist/failing.js')
    await build({
      entryPoints: [join(folder, 'cart.ts')],
      outfile,
      bundle: true,
      minify: true,
      sourcemap: true,
      format: 'esm',
    })
    vi.stubEnv('SENTRY_URL', local.sentry)
    for (const [name, value] of Object.entries({ AUTH_TOKEN: 't', ORG: 'acme', PROJECT: 'shop' }))
      vi.stubEnv(`SENTRY_${name}`, value)
    expect(await main(['sourcemaps', 'inject', join(folder, 'dist'), '--json'])).toBe(0)
    expect(await main(['sourcemaps', 'upload', join(folder, 'dist'), '--json'])).toBe(0)
    await run(readFileSync(outfile, 'utf8'))
    const [event] = (
      await eventually(
        () => captured('type=event'),
        (all) => all.some(ofPage),
      )
    ).filter(ofPage)
    expect(event?.originals?.[0]?.at(-1)).toMatchObject({
      lineno: 4,
      filename: expect.stringMatching(/cart\.ts$/),
    })
    const shown = await context.newPage()
    await shown.goto(`${local.sentry}/events/${event?.id}`)
    expect(await shown.locator('pre b').first().textContent()).toContain('throw new RangeError')
    await shown.close()
  } finally {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true, force: true })
  }
})

it('tells an unhandled rejection, once, however often it comes', async () => {
  await run('for (let i = 0; i < 5; i++) Promise.reject(new Error("nobody waited"))')
  const found = await eventually(
    () => captured('type=event'),
    (all) => all.some(ofPage),
  )
  await page.waitForTimeout(1500)
  expect((await captured('type=event')).filter(ofPage).length).toBe(1)
  expect(found.find(ofPage)?.payload.exception?.values[0]).toMatchObject({
    value: 'nobody waited',
    mechanism: { type: 'onunhandledrejection' },
  })
})

it('tells a request that failed, in one trace with the server’s own error', async () => {
  await page.click('#boom')
  const both = await eventually(
    () => captured('type=event'),
    (all) => all.length >= 2,
  )
  const [front, back] = [both.find(ofPage), both.find((one) => !ofPage(one))]
  expect(front?.payload.exception?.values[0]).toMatchObject({
    value: 'GET /boom answered 500',
    mechanism: { type: 'fetch' },
  })
  expect(back?.title).toContain('The reference app was asked to fail')
  expect(front?.traceId).toMatch(/^[\da-f]{32}$/)
  expect(back?.traceId, 'the page’s trace is the server’s').toBe(front?.traceId)
})

it('tells a request that got no answer', async () => {
  await context.route('**/me', (route) => route.abort('connectionrefused'))
  await run('fetch("/me").catch(() => {})')
  const found = await eventually(
    () => captured('type=event'),
    (all) => all.some(ofPage),
  )
  expect(found.find(ofPage)?.payload.exception?.values[0]?.value).toBe('GET /me got no answer')
  await context.unroute('**/me')
})

it('tells web vitals when the page is left', async () => {
  const left = await context.newPage()
  // Vitals are sampled by the trace's id: this one is in the sample.
  await left.addInitScript('crypto.getRandomValues = (bytes) => bytes.fill(1)')
  await left.goto(`${local.worker}/`)
  await left.click('h1')
  await left.close()
  const isLoad = ({ payload }: Event): boolean => payload.contexts.trace.op === 'pageload'
  const found = await eventually(
    () => captured('type=transaction'),
    (all) => all.some(isLoad),
  )
  const vitals = found.find(isLoad)
  expect(vitals?.traceId).toBe('01'.repeat(16))
  expect(vitals?.payload.measurements?.['fcp']?.value).toBeGreaterThan(0)
  expect(vitals?.payload.measurements?.['ttfb']?.value).toBeGreaterThan(0)
  expect(vitals?.payload.measurements?.['cls']?.value).toBeGreaterThanOrEqual(0)
})

it('takes nothing from other sites, for other projects, and nothing large', async () => {
  const post = (body: string): Promise<number> =>
    page.evaluate(async (text) => (await fetch('/_capture', { method: 'POST', body: text })).status, body)
  const envelope = '{"dsn":"https://k@other.example/9"}\n{"type":"event"}\n{"message":"relayed"}\n'
  expect(await post(envelope)).toBe(400)
  expect(await post(JSON.stringify({ v: 1, path: 'x'.repeat(40_000) }))).toBe(413)

  // A page of another origin: the browser itself says where it comes from.
  const other = await context.newPage()
  await other.goto(local.mail)
  const refused = await context.request.post(`${local.worker}/_capture`, {
    data: envelope,
    headers: { 'sec-fetch-site': 'cross-site', origin: local.mail },
  })
  expect(refused.status()).toBe(403)
  await other.close()
  expect((await captured()).some(({ title }) => title.includes('relayed'))).toBe(false)
})

it('ends a flood', async () => {
  const statuses = await page.evaluate(async () => {
    const all: number[] = []
    const report = JSON.stringify({
      v: 1,
      trace: 'a'.repeat(32),
      span: 'b'.repeat(16),
      path: '/',
      errors: [],
    })
    // Several at once: one window of a minute may end meanwhile.
    for (let i = 0; i < 20 && !all.includes(429); i++) {
      const some = Array.from({ length: 40 }, () => fetch('/_capture', { method: 'POST', body: report }))
      for (const reply of await Promise.all(some)) all.push(reply.status)
    }
    return all
  })
  expect(statuses).toContain(429)
})
