import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Local, startLocal } from 'breakwater/local'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { dimensions } from '../../../src/uploads/dimensions.ts'
import { signedUp } from '../support/signed-up.ts'
import { eventually, type Visitor } from '../support/visitor.ts'
import { png, sha256 } from './files.ts'

// curl, as other people have it, on the reference app.
const folder = mkdtempSync(join(tmpdir(), 'breakwater-clients-'))
chmodSync(folder, 0o755)
const harbour = join(import.meta.dirname, '../../fixtures/harbour.jpg')
let local: Local
let ada: Visitor

beforeAll(async () => {
  local = await startLocal({ state: join(folder, 'state'), crons: false })
  ada = await signedUp(local, 'ada@lighthouse.dev', 'a lamp in every window 7')
})
afterAll(async () => {
  await local?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs curl as Ada; resolves with what it wrote. */
async function curl(...args: string[]): Promise<string> {
  const own = ['--silent', '--show-error', '--max-time', '50', '--cookie', ada.cookie]
  const origin = ['--header', `Origin: ${local.worker}`]
  return (await promisify(execFile)('curl', [...own, ...origin, ...args])).stdout
}

async function published(id: string): Promise<Record<string, unknown>> {
  const view = await eventually(
    async () => (await ada.get(`/uploads/${id}/status`)).json() as Promise<Record<string, unknown>>,
    ({ state }) => state === 'published' || state === 'rejected',
  )
  expect(view).toMatchObject({ state: 'published' })
  return view
}

it('curl sends a file, downloads it, goes on with a download that broke off, and asks whether it changed', async () => {
  const bytes = png(3_000_000)
  const file = join(folder, 'a.png')
  writeFileSync(file, bytes)
  const to = `${local.worker}/uploads?kind=image&name=a.png`
  // Without a length, in pieces.
  const chunked = ['--header', 'Transfer-Encoding: chunked', '--header', 'Content-Type: image/png']
  const sent = await curl('--request', 'POST', ...chunked, '--upload-file', file, to)
  const { id } = JSON.parse(sent) as { id: string }
  await published(id)

  const url = `${local.worker}/uploads/${id}`
  const got = join(folder, 'b.png')
  writeFileSync(got, bytes.subarray(0, 1_234_567))
  await curl('--continue-at', '-', '--output', got, url)
  expect(sha256(readFileSync(got))).toBe(sha256(bytes))

  const tags = join(folder, 'tag')
  await curl('--etag-save', tags, '--output', got, url)
  const write = ['--write-out', '%{http_code} %{size_download}']
  expect(await curl('--etag-compare', tags, '--output', join(folder, 'c.png'), ...write, url)).toBe('304 0')
  expect(await curl('--range', '10-19', '--output', join(folder, 'c.png'), ...write, url)).toBe('206 10')
  expect(await curl('--head', '--output', '/dev/null', '--write-out', '%header{content-length}', url)).toBe(
    '3000000',
  )
})

it('curl sends a form, and a smaller picture comes back', async () => {
  const sent = await curl('--form', `file=@${harbour};type=image/jpeg`, `${local.worker}/uploads?kind=image`)
  const { id, name } = JSON.parse(sent) as { id: string; name: string }
  expect(name).toBe('harbour.jpg')
  const { width, height } = await published(id)
  const reply = await ada.get(`/uploads/${id}/variants/thumbnail`)
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'image/webp'])
  const small = dimensions('image/webp', new Uint8Array(await reply.arrayBuffer()))
  expect(small?.width).toBe(Math.min(320, Number(width)))
  expect(small?.height).toBe(Math.min(320, Number(height)))
})

it('curl sends straight to the bucket by a signed address, and only what was signed', async () => {
  const bytes = readFileSync(harbour)
  const ask = async () =>
    (
      await ada.post('/uploads/direct', {
        kind: 'image',
        name: 'harbour.jpg',
        type: 'image/jpeg',
        size: bytes.length,
        sha256: sha256(bytes),
      })
    ).json() as Promise<{ id: string; upload: { url: string } }>
  const { id, upload } = await ask()
  const put = (file: string, type: string) =>
    curl(
      '--upload-file',
      file,
      '--header',
      `Content-Type: ${type}`,
      '--output',
      '/dev/null',
      '--write-out',
      '%{http_code}',
      upload.url,
    )
  expect(await put(harbour, 'text/html')).toBe('403')
  writeFileSync(join(folder, 'longer'), Buffer.concat([bytes, bytes]))
  expect(await put(join(folder, 'longer'), 'image/jpeg')).toBe('403')
  expect(await put(harbour, 'image/jpeg')).toBe('200')
  expect((await ada.post(`/uploads/direct/${id}/complete`)).status).toBe(200)
  expect(await published(id)).toMatchObject({ sha256: sha256(bytes), size: bytes.length })
})

it('has limits of its own for uploads: more than the rest of the app takes in a request', async () => {
  const film = Buffer.alloc(12_000_000)
  film.write('ftypisom', 4)
  const sent = await ada.fetch('/uploads?kind=film&name=a.mp4', {
    method: 'POST',
    body: film,
    headers: { 'content-type': 'video/mp4' },
  })
  expect(sent.status).toBe(201)
  await published(((await sent.json()) as { id: string }).id)
})
