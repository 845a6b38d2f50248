import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Local, startLocal } from 'breakwater/local'
import { build } from 'esbuild'
import type { Browser, CDPSession, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { signedUp } from '../system/support/signed-up.ts'
import { eventually, type Visitor } from '../system/support/visitor.ts'
import { png, sha256 } from '../system/uploads/files.ts'
import { launch } from './chromium.ts'

// Uppy in a real browser, on the reference app: large files on bad lines.
const state = mkdtempSync(join(tmpdir(), 'breakwater-uppy-'))
const bytes = png(9_000_000)

let local: Local
let browser: Browser
let page: Page
let network: CDPSession
let ada: Visitor
const asked: string[] = []
const aborted: string[] = []

beforeAll(async () => {
  ;[local, browser] = await Promise.all([startLocal({ state, crons: false }), launch()])
  ada = await signedUp(local, 'ada@lighthouse.dev', 'a lamp in every window 7')
  const context = await browser.newContext()
  await context.addCookies(
    ada.cookie.split('; ').map((pair) => ({
      name: pair.slice(0, pair.indexOf('=')),
      value: pair.slice(pair.indexOf('=') + 1),
      domain: 'localhost',
      path: '/',
      secure: true,
      httpOnly: true,
    })),
  )
  page = await context.newPage()
  network = await context.newCDPSession(page)
  await network.send('Network.enable')
  network.on('Network.requestWillBeSent', ({ request: { method, url, headers } }) => {
    if (!url.includes('/uploads/tus')) return
    asked.push(method === 'PATCH' ? `PATCH ${headers['Upload-Offset']}` : method)
  })
  network.on('Network.loadingFailed', ({ errorText }) => aborted.push(errorText))
  await page.goto(`${local.worker}/`)
  const bundle = await build({
    entryPoints: [join(import.meta.dirname, 'uppy.js')],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    logLevel: 'error',
  })
  // By the debugger: the page's own policy lets no foreign script in.
  await page.evaluate(bundle.outputFiles[0]?.text ?? '')
}, 180_000)

afterAll(async () => {
  await browser?.close()
  await local?.stop()
  rmSync(state, { recursive: true, force: true })
})

/** A line that is slow enough to break in the middle of a request. */
async function line(offline: boolean): Promise<void> {
  await network.send('Network.emulateNetworkConditions', {
    offline,
    latency: 5,
    downloadThroughput: -1,
    uploadThroughput: 3_000_000,
  })
}

const sent = () => page.evaluate('window.uploaded') as Promise<number>

it('Uppy uploads through a pause and a network lost in the middle of a request, and the file is whole', async () => {
  await line(false)
  await page.evaluate(`window.startUpload(${JSON.stringify(Buffer.from(bytes).toString('base64'))})`)
  await expect.poll(sent, { timeout: 30_000 }).toBeGreaterThan(1_600_000)

  await page.evaluate('window.uppy.pauseAll()')
  const paused = await sent()
  await new Promise((resolve) => setTimeout(resolve, 500))
  await page.evaluate('window.uppy.resumeAll()')
  await expect.poll(sent, { timeout: 30_000 }).toBeGreaterThan(paused + 1_600_000)

  await line(true)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  await line(false)

  const { url, failed } = (await page.evaluate('window.done')) as { url: string; failed: unknown[] }
  expect(failed).toEqual([])
  expect(aborted).toContain('net::ERR_INTERNET_DISCONNECTED')
  // Resumed, not begun anew: one creation, one first chunk, and a question after each break.
  expect(asked.filter((one) => one === 'POST')).toHaveLength(1)
  expect(asked.filter((one) => one === 'PATCH 0')).toHaveLength(1)
  expect(asked.filter((one) => one === 'HEAD').length).toBeGreaterThanOrEqual(2)

  const id = url.split('/').at(-1)
  const view = await eventually(
    async () => (await ada.get(`/uploads/${id}/status`)).json() as Promise<Record<string, unknown>>,
    (row) => row['state'] === 'published' || row['state'] === 'rejected',
  )
  expect(view).toMatchObject({ state: 'published', size: bytes.length, name: 'harbour.png' })
  const got = await ada.get(`/uploads/${id}`)
  expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(bytes))
})
