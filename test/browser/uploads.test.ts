import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Local, startLocal } from 'breakwater/local'
import { build } from 'esbuild'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { signedUp } from '../system/support/signed-up.ts'
import { eventually } from '../system/support/visitor.ts'
import { png, sha256 } from '../system/uploads/files.ts'
import { launch } from './chromium.ts'

// Uppy in a real browser, on the reference app: large files on bad lines.
const state = mkdtempSync(join(tmpdir(), 'breakwater-uppy-'))
chmodSync(state, 0o755)
const bytes = png(9_000_000)

let local: Local
let browser: Browser
let context: BrowserContext
let page: Page
let cookie: string

beforeAll(async () => {
  ;[local, browser] = await Promise.all([startLocal({ state, crons: false }), launch()])
  const ada = await signedUp(local, 'ada@lighthouse.dev', 'a lamp in every window 7')
  cookie = ada.cookie
  context = await browser.newContext()
  await context.addCookies(
    cookie.split('; ').map((pair) => ({
      name: pair.slice(0, pair.indexOf('=')),
      value: pair.slice(pair.indexOf('=') + 1),
      domain: 'localhost',
      path: '/',
      secure: true,
      httpOnly: true,
    })),
  )
  page = await context.newPage()
  await page.goto(`${local.worker}/`)
  const bundle = await build({
    stdin: {
      contents: `
        import Uppy from '@uppy/core'
        import Tus from '@uppy/tus'
        window.startUpload = (base64) => {
          const raw = atob(base64)
          const bytes = Uint8Array.from(raw, (char) => char.charCodeAt(0))
          const uppy = new Uppy({ autoProceed: false }).use(Tus, {
            endpoint: '/uploads/tus', chunkSize: 700_000, retryDelays: [200, 500, 1000, 2000],
            allowedMetaFields: ['kind', 'filename', 'filetype', 'name', 'type'],
          })
          uppy.setMeta({ kind: 'image' })
          uppy.addFile({ name: 'harbour.png', type: 'image/png', data: new Blob([bytes], { type: 'image/png' }) })
          window.uploaded = 0
          uppy.on('upload-progress', (_file, { bytesUploaded }) => { window.uploaded = bytesUploaded })
          window.uppy = uppy
          window.done = uppy.upload().then(({ successful, failed }) => ({
            url: successful?.[0]?.uploadURL, failed: failed?.map(({ error }) => error) ?? [],
          }))
        }`,
      resolveDir: import.meta.dirname,
    },
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

it('Uppy uploads through a pause and a lost network, and the file is whole', async () => {
  const sent = () => page.evaluate('window.uploaded') as Promise<number>
  await page.evaluate(`window.startUpload(${JSON.stringify(Buffer.from(bytes).toString('base64'))})`)
  await expect.poll(sent, { timeout: 30_000 }).toBeGreaterThan(1_500_000)

  await page.evaluate('window.uppy.pauseAll()')
  const paused = await sent()
  await new Promise((resolve) => setTimeout(resolve, 700))
  await page.evaluate('window.uppy.resumeAll()')
  await expect.poll(sent, { timeout: 30_000 }).toBeGreaterThan(paused + 700_000)

  await context.setOffline(true)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await context.setOffline(false)

  const { url, failed } = (await page.evaluate('window.done')) as { url: string; failed: unknown[] }
  expect(failed).toEqual([])
  const id = url.split('/').at(-1)
  const headers = { cookie }
  const view = await eventually(
    async () =>
      (await fetch(`${local.worker}/uploads/${id}/status`, { headers })).json() as Promise<
        Record<string, unknown>
      >,
    (row) => row['state'] === 'published' || row['state'] === 'rejected',
  )
  expect(view).toMatchObject({ state: 'published', size: bytes.length, name: 'harbour.png' })
  const got = await fetch(`${local.worker}/uploads/${id}`, { headers })
  expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(bytes))
})
