import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startTusPeer, type TusPeer } from '../../conformance/tus-peer.ts'
import { create, patch, send, type TusTarget, tusRows } from '../../conformance/tus-rows.ts'
import { png, reprDigest, sha256 } from './files.ts'
import { stage } from './stage.ts'

const MB = 1_000_000
const state = mkdtempSync(join(tmpdir(), 'breakwater-tus-'))
const on = stage({ state })
let peer: TusPeer

beforeAll(async () => {
  peer = await startTusPeer(20 * MB)
})
afterAll(async () => {
  await peer?.stop()
  rmSync(state, { recursive: true, force: true })
})

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const METADATA = `kind ${base64('document')},filename ${base64('søren.png')},filetype ${base64('image/png')}`
const target = (base = '/uploads'): TusTarget => ({
  url: `${on.url}${base}/tus`,
  headers: { 'x-user': on.user },
  metadata: METADATA,
  file: (size) => png(size),
})

const idOf = (url: string): string => url.split('/').at(-1) ?? ''

const post = (path: string) => on.call('POST', path)

async function published(url: string, bytes: Uint8Array): Promise<void> {
  const id = idOf(url)
  expect(await (await post(`/process/${id}`)).json()).toEqual({ state: 'published' })
  const got = await on.call('GET', `/uploads/${id}`)
  expect(got.headers.get('repr-digest')).toBe(reprDigest(bytes))
  expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(bytes))
  expect(await on.usage()).toEqual({ reserved: 0, stored: bytes.length, files: 1 })
  expect(await tails()).toEqual([])
}

const tails = async (): Promise<string[]> => (await on.keys()).filter((key) => key.includes('.tails/'))

it('keeps every MUST of tus 1.0, as its own implementation does', async () => {
  const rows = await tusRows({
    ...target(),
    headers: { 'x-user': on.user, 'x-quota': '1000000000' },
  })
  expect(rows.filter(({ status }) => status === 'fail')).toEqual([])
  expect(rows.filter(({ status }) => status === 'pass').length).toBeGreaterThan(35)
})

it('takes fields that Uppy sends as "undefined" for not said, and looks for the name elsewhere', async () => {
  const bytes = png(5000)
  const metadata = {
    kind: 'document',
    filename: 'undefined',
    filetype: 'undefined',
    name: 'a.png',
    type: 'null',
  }
  const field = Object.entries(metadata).map(([key, value]) => `${key} ${base64(value)}`)
  const t = { ...target(), metadata: field.join(',') }
  const { url } = await create(t, { 'Upload-Length': '5000' })
  expect((await patch(t, url, 0, bytes)).status).toBe(204)
  expect(await on.row(idOf(url))).toMatchObject({ original_name: 'a.png', declared_type: null })
  await published(url, bytes)
})

describe('chunks of any size', () => {
  it.each([
    [11 * MB, 3_333_333],
    [5 * 1024 * 1024 * 2, 5 * 1024 * 1024],
    [300_000, 70_001],
    [5 * 1024 * 1024 + 1, 6 * MB],
  ])('make %i bytes in pieces of %i the same file, in equal parts', async (size, chunk) => {
    const bytes = png(size)
    const t = target()
    const { url } = await create(t, { 'Upload-Length': String(size) })
    for (let at = 0; at < size; at += chunk) {
      const reply = await patch(t, url, at, bytes.slice(at, at + chunk))
      expect([reply.status, reply.headers.get('upload-offset')]).toEqual([
        204,
        String(Math.min(size, at + chunk)),
      ])
    }
    expect(await on.row(idOf(url))).toMatchObject({ state: 'quarantined', original_name: 'søren.png' })
    const { rows } = await on.database.pool.query('select input from test_jobs where key = $1', [
      `upload.process:${idOf(url)}`,
    ])
    expect(rows).toEqual([{ input: { id: idOf(url) } }])
    await published(url, bytes)
  })

  it('need no transaction where the queue can be written in a batch', async () => {
    const before = on.trips().webSockets
    const { reply } = await create(
      target('/batched'),
      { 'Upload-Length': '5000', 'Content-Type': 'application/offset+octet-stream' },
      png(5000),
    )
    expect(reply.status).toBe(201)
    expect(on.trips().webSockets).toBe(before)
  })

  it('cost one round trip to create', async () => {
    const count = () => on.trips().http
    const before = count()
    await create(target(), { 'Upload-Length': '5000' })
    expect(count() - before).toBe(1)
  })
})

describe('trouble', () => {
  it('a restart of the worker loses nothing that was acknowledged', async () => {
    const bytes = png(12 * MB)
    const { url } = await create(target(), { 'Upload-Length': String(bytes.length) })
    expect((await patch(target(), url, 0, bytes.slice(0, 7 * MB))).status).toBe(204)
    await on.restart()
    const again = `${on.url}/uploads/tus/${idOf(url)}`
    const head = await send(target(), 'HEAD', again)
    expect(head.headers.get('upload-offset')).toBe(String(7 * MB))
    expect((await patch(target(), again, 7 * MB, bytes.slice(7 * MB))).status).toBe(204)
    await published(again, bytes)
  })

  it('two clients at once: one writes, the other is told 423, and the file is whole', async () => {
    const bytes = png(8 * MB)
    const t = target()
    const { url } = await create(t, { 'Upload-Length': String(bytes.length) })
    const replies = await Promise.all(Array.from({ length: 4 }, () => patch(t, url, 0, bytes)))
    const statuses = replies.map(({ status }) => status).sort()
    expect(statuses[0]).toBe(204)
    for (const status of statuses.slice(1)) expect([409, 413, 423]).toContain(status)
    await published(url, bytes)
  })

  it('a writer that died holds the pen no longer than its lease', async () => {
    const bytes = png(9000)
    const t = target()
    const { url } = await create(t, { 'Upload-Length': '9000' })
    await on.database.pool.query(
      "update breakwater.upload_transfers set lock_token = gen_random_uuid(), lock_until = now() + interval '20 s' where upload_id = $1",
      [idOf(url)],
    )
    const locked = await patch(t, url, 0, bytes)
    expect([locked.status, locked.headers.get('retry-after')]).toEqual([423, '2'])
    await on.database.pool.query(
      "update breakwater.upload_transfers set lock_until = now() - interval '1 s' where upload_id = $1",
      [idOf(url)],
    )
    expect((await patch(t, url, 0, bytes)).status).toBe(204)
    await published(url, bytes)
  })

  it('a lost reply is no trouble: what was sent again is refused, and HEAD tells how far it is', async () => {
    const bytes = png(9000)
    const t = target()
    const { url } = await create(t, { 'Upload-Length': '9000' })
    await patch(t, url, 0, bytes.slice(0, 5000))
    expect((await patch(t, url, 0, bytes.slice(0, 5000))).status).toBe(409)
    expect((await patch(t, url, 5000, bytes.slice(5000))).status).toBe(204)
    expect((await patch(t, url, 5000, bytes.slice(5000))).status).toBe(409)
    expect((await patch(t, url, 9000, new Uint8Array(0))).status).toBe(204)
    await published(url, bytes)
  })

  it('a worker that died between the object and the row is mended by HEAD, and by the sweep', async () => {
    for (const mend of ['HEAD', 'sweep']) {
      on.user = randomUUID()
      const bytes = png(11 * MB)
      const { url } = await create(target('/direct'), { 'Upload-Length': String(bytes.length) })
      expect((await patch(target('/direct'), url, 0, bytes)).status).toBe(204)
      const id = idOf(url)
      // As it was when every byte was stored and nobody had taken note.
      await on.database.pool.query(
        "update breakwater.uploads set state = 'receiving', type = null, sha256 = null, version = null, published_at = null, updated_at = now() - interval '2 h' where id = $1",
        [id],
      )
      await on.database.pool.query(
        'update breakwater.upload_usage set reserved_bytes = $2, stored_bytes = 0 where owner_id = $1',
        [on.user, bytes.length],
      )
      if (mend === 'HEAD') expect((await send(target('/direct'), 'HEAD', url)).status).toBe(200)
      else expect(await (await post('/sweep')).json()).toMatchObject({ failed: 0 })
      expect(await on.row(id), mend).toMatchObject({ state: 'published' })
      expect(await on.usage()).toEqual({ reserved: 0, stored: bytes.length, files: 1 })
    }
  })

  it('a pause longer than the sweep’s patience is fine, and one past the expiry is not', async () => {
    const t = target()
    const { url } = await create(t, { 'Upload-Length': '9000' })
    await patch(t, url, 0, png(9000).slice(0, 5000))
    await on.age(idOf(url))
    await post('/sweep')
    expect((await send(t, 'HEAD', url)).status).toBe(200)
    await on.database.pool.query(
      "update breakwater.upload_transfers set expires_at = now() - interval '1 s' where upload_id = $1",
      [idOf(url)],
    )
    expect((await send(t, 'HEAD', url)).status).toBe(410)
    expect((await patch(t, url, 5000, png(9000).slice(5000))).status).toBe(410)
    await post('/sweep')
    expect(await on.row(idOf(url))).toMatchObject({ state: 'rejected' })
    expect(await on.usage()).toEqual({ reserved: 0, stored: 0, files: 0 })
    await on.age(idOf(url))
    await post('/sweep')
    expect(await tails()).toEqual([])
  })

  it('another type than allowed is refused as soon as it can be told, and ends the upload', async () => {
    const t = target()
    const { url } = await create(t, { 'Upload-Length': '9000' })
    const page = Uint8Array.from(Buffer.from('<!doctype html><script>alert(1)</script>'.padEnd(9000)))
    expect((await patch(t, url, 0, page.slice(0, 100))).status).toBe(204)
    expect((await patch(t, url, 100, page.slice(100))).status).toBe(415)
    expect((await send(t, 'HEAD', url)).status).toBe(410)
    expect(await on.row(idOf(url))).toMatchObject({ state: 'rejected', reason: 'unsupported-media-type' })
    expect(await on.usage()).toEqual({ reserved: 0, stored: 0, files: 0 })
  })

  it('a file that is not what its sender hashed is rejected', async () => {
    const bytes = png(9000)
    const more = {
      'Upload-Length': '9000',
      'Upload-Metadata': `${METADATA},sha256 ${base64(sha256(png(9001)))}`,
    }
    const { url } = await create(target(), more)
    expect((await patch(target(), url, 0, bytes)).status).toBe(204)
    expect(await (await post(`/process/${idOf(url)}`)).json()).toEqual({ state: 'rejected' })
    expect(await on.row(idOf(url))).toMatchObject({ reason: 'digest-mismatch' })
  })

  it('a bucket that does not take the third part loses nothing that was acknowledged', async () => {
    const bytes = png(17 * MB)
    const t = target()
    const failing = { ...t, headers: { ...t.headers, 'x-bucket': 'part:3' } }
    const { url } = await create(t, { 'Upload-Length': String(bytes.length) })
    expect((await patch(failing, url, 0, bytes)).status).toBe(503)
    const offset = Number((await send(t, 'HEAD', url)).headers.get('upload-offset'))
    expect(offset).toBe(2 * 5 * 1024 * 1024)
    expect((await patch(t, url, offset, bytes.slice(offset))).status).toBe(204)
    await published(url, bytes)
  })

  it.each(['complete', 'complete:done'])(
    'a bucket that fails at the end is asked again: %s',
    async (fault) => {
      const bytes = png(11 * MB)
      const t = target()
      const failing = { ...t, headers: { ...t.headers, 'x-bucket': fault } }
      const { url } = await create(t, { 'Upload-Length': String(bytes.length) })
      const status = (await patch(failing, url, 0, bytes)).status
      expect(status).toBe(fault === 'complete' ? 503 : 204)
      expect((await send(t, 'HEAD', url)).headers.get('upload-offset')).toBe(String(bytes.length))
      await published(url, bytes)
    },
  )

  it.each([
    [6000, 9000],
    [12 * MB, 17 * MB],
  ])(
    'a client that stalls after %i of %i bytes keeps what it sent, and goes on from there',
    async (sent, size) => {
      const t = target()
      const bytes = png(size)
      const { url } = await create(t, { 'Upload-Length': String(size) })
      const stalling = new ReadableStream({
        start(controller) {
          controller.enqueue(bytes.slice(0, sent))
        },
      })
      const reply = await fetch(url, {
        method: 'PATCH',
        headers: {
          ...t.headers,
          'Tus-Resumable': '1.0.0',
          'Upload-Offset': '0',
          'Content-Type': 'application/offset+octet-stream',
        },
        body: stalling,
        duplex: 'half',
      } as RequestInit)
      expect(reply.status).toBe(408)
      expect((await send(t, 'HEAD', url)).headers.get('upload-offset')).toBe(String(sent))
      expect((await patch(t, url, sent, bytes.slice(sent))).status).toBe(204)
      await published(url, bytes)
    },
  )
})

it('reserves room before bytes, holds it among fifty at once, and gives it back', async () => {
  const t = { ...target(), headers: { 'x-user': on.user, 'x-quota': '200000' } }
  const all = await Promise.all(Array.from({ length: 50 }, () => create(t, { 'Upload-Length': '20000' })))
  expect(all.filter(({ reply }) => reply.status === 201)).toHaveLength(10)
  expect(all.filter(({ reply }) => reply.status === 403)).toHaveLength(40)
  expect(await on.usage()).toEqual({ reserved: 200_000, stored: 0, files: 10 })
  await Promise.all(all.filter(({ url }) => url !== '').map(({ url }) => send(t, 'DELETE', url)))
  expect(await on.usage()).toEqual({ reserved: 0, stored: 0, files: 0 })
})

it('is nobody else’s business', async () => {
  const { url } = await create(target(), { 'Upload-Length': '9000' })
  const stranger = { ...target(), headers: { 'x-user': randomUUID() } }
  for (const method of ['HEAD', 'DELETE']) expect((await send(stranger, method, url)).status).toBe(404)
  expect((await patch(stranger, url, 0, png(9000))).status).toBe(404)
  expect((await send({ ...target(), headers: {} }, 'HEAD', url)).status).toBe(401)
  await vi.waitFor(async () => expect(await on.usage()).toMatchObject({ reserved: 9000 }))
})
