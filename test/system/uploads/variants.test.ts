import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { dimensions } from '../../../src/uploads/dimensions.ts'
import { png, sha256 } from './files.ts'
import { stage } from './stage.ts'

const on = stage()
const { call } = on
const fixture = (name: string) =>
  Uint8Array.from(readFileSync(join(import.meta.dirname, '../../fixtures', name)))

async function upload(kind: string, body: Uint8Array<ArrayBuffer>): Promise<string> {
  const reply = await call('POST', `/direct?kind=${kind}&name=harbour.jpg`, { body })
  const view = (await reply.json()) as { id: string; state: string }
  expect(view.state).toBe('published')
  return view.id
}

it('a picture comes in the sizes its kind declares, made once and kept', async () => {
  const id = await upload('photo', fixture('harbour.jpg'))
  const path = `/direct/${id}/variants/square`
  const first = await call('GET', path)
  const bytes = new Uint8Array(await first.arrayBuffer())
  expect(dimensions('image/jpeg', bytes)).toEqual({ width: 64, height: 64 })
  expect(Object.fromEntries(first.headers)).toMatchObject({
    'content-type': 'image/jpeg',
    'content-length': String(bytes.length),
    'content-disposition': 'inline; filename="harbour-square.jpeg"',
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, no-cache',
    etag: `"${sha256(bytes)}"`,
  })
  const kept = await on.keys()
  expect(kept).toContain(`uploads/photo/${id}.clean.v/square`)
  // A bucket in which nothing can be written: what is kept is served.
  const again = await call('GET', path, { headers: { 'x-bucket': 'put', range: 'bytes=0-9' } })
  expect([again.status, again.headers.get('content-range')]).toEqual([206, `bytes 0-9/${bytes.length}`])
  const same = await call('GET', path, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } })
  expect(same.status).toBe(304)
  const wide = await call('GET', `/direct/${id}/variants/wide`)
  expect(wide.headers.get('content-type')).toBe('image/webp')
})

it('there are no other sizes than those declared, and they are nobody else’s business', async () => {
  const id = await upload('photo', fixture('harbour.jpg'))
  for (const name of ['huge', 'constructor', 'square%2F..', '64x64']) {
    expect((await call('GET', `/direct/${id}/variants/${name}`)).status, name).toBe(404)
  }
  expect((await call('GET', `/direct/${id}/variants/square`, { as: randomUUID() })).status).toBe(404)
  expect((await call('GET', `/direct/${id}/variants/square`, { as: null })).status).toBe(401)
  const { url } = await on.json<{ url: string }>('POST', `/direct/${id}/links`)
  const signed = new URL(url)
  signed.pathname += '/variants/square'
  expect((await fetch(signed)).status).toBe(200)
})

it('sends to the original where there is no binding, and where a picture cannot be read', async () => {
  const id = await upload('photo', fixture('harbour.jpg'))
  const without = await call('GET', `/direct/${id}/variants/square?token=x`, {
    headers: { 'x-images': 'none' },
    redirect: 'manual',
  })
  expect([without.status, without.headers.get('location')]).toEqual([302, `/direct/${id}?token=x`])
  // A sound head, and noise behind it.
  const broken = await upload('avatar', png(1000))
  const reply = await call('GET', `/direct/${broken}/variants/thumb`, { redirect: 'manual' })
  expect([reply.status, reply.headers.get('location')]).toEqual([302, `/direct/${broken}`])
})

it('goes with its original: from the bucket and from the cache; the reconciliation spares it until then', async () => {
  const id = await upload('avatar', fixture('thumbnail.png'))
  const url = `${on.url}/direct/${id}/variants/thumb`
  await (await fetch(url)).arrayBuffer()
  await new Promise((resolve) => setTimeout(resolve, 200))
  const before = on.trips().http
  expect((await fetch(url)).status).toBe(200)
  expect(on.trips().http).toBe(before)
  const body = JSON.stringify({ grace: 0 })
  expect(await on.json('POST', '/reconcile', { body })).toMatchObject({ orphans: [] })
  expect(await on.keys()).toHaveLength(2)
  expect((await call('DELETE', `/direct/${id}`)).status).toBe(204)
  expect(await on.keys()).toEqual([])
  expect((await fetch(url)).status).toBe(404)
})
