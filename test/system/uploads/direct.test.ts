import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { png, sha256 } from './files.ts'
import { stage } from './stage.ts'

const MB = 1_000_000
const on = stage()

const call = (method: string, path: string, body?: unknown) =>
  on.call(method, path, {
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })

interface Ticket {
  id: string
  parts: number
  partBytes: number
  upload: { url: string; headers: Record<string, string> }
}

async function ask(size: number, more: object = {}): Promise<Ticket> {
  const reply = await call('POST', '/uploads/direct', {
    kind: 'document',
    name: 'a.png',
    type: 'image/png',
    size,
    ...more,
  })
  expect(reply.status, await reply.clone().text()).toBe(201)
  return (await reply.json()) as Ticket
}

/** As a browser does: the length is the body's own. */
const put = (
  { upload }: Pick<Ticket, 'upload'>,
  body: Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
) => {
  const { 'content-length': _, ...rest } = upload.headers
  return fetch(upload.url, { method: 'PUT', body, headers: { ...rest, ...headers } })
}

const complete = (id: string, body?: unknown) => call('POST', `/uploads/direct/${id}/complete`, body)
const stateOf = async (id: string) => (await call('POST', `/process/${id}`)).json()

it('goes straight to the bucket, is looked at by the server, and is published', async () => {
  const bytes = png(300_000)
  const ticket = await ask(bytes.length, { sha256: sha256(bytes) })
  expect(await on.usage()).toEqual({ reserved: 300_000, stored: 0, files: 1 })
  const early = await complete(ticket.id)
  expect([early.status, early.headers.get('retry-after')]).toEqual([409, '2'])
  expect((await put(ticket, bytes)).status).toBe(200)
  const confirmed = await complete(ticket.id)
  expect(await confirmed.json()).toMatchObject({ state: 'quarantined', size: 300_000 })
  // A reply that was lost is asked for again.
  expect((await complete(ticket.id)).status).toBe(200)
  expect(await stateOf(ticket.id)).toEqual({ state: 'published' })
  const got = await call('GET', `/uploads/${ticket.id}`)
  expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(bytes))
  expect(await on.usage()).toEqual({ reserved: 0, stored: 300_000, files: 1 })
})

it('is signed for one length and one type', async () => {
  const ticket = await ask(5000)
  expect((await put(ticket, png(5001))).status).toBe(403)
  expect((await put(ticket, png(4999))).status).toBe(403)
  expect((await put(ticket, png(5000), { 'content-type': 'text/html' })).status).toBe(403)
  const elsewhere = { upload: { ...ticket.upload, url: ticket.upload.url.replace(ticket.id, randomUUID()) } }
  expect((await put(elsewhere, png(5000))).status).toBe(403)
  expect((await put(ticket, png(5000))).status).toBe(200)
})

it('comes in parts, each signed, and is put together by the server', async () => {
  const bytes = png(11 * MB)
  const ticket = await ask(bytes.length, { multipart: true })
  expect(ticket.parts).toBe(3)
  const signed = await call('POST', `/uploads/direct/${ticket.id}/parts`, { partNumbers: [1, 2, 3] })
  const { parts } = (await signed.json()) as {
    parts: { partNumber: number; url: string; headers: Record<string, string> }[]
  }
  const etags = await Promise.all(
    parts.map(async (upload) => {
      const at = (upload.partNumber - 1) * ticket.partBytes
      const reply = await put({ upload }, bytes.slice(at, at + ticket.partBytes))
      expect(reply.status, await reply.clone().text()).toBe(200)
      return { partNumber: upload.partNumber, etag: reply.headers.get('etag') }
    }),
  )
  expect((await complete(ticket.id, { parts: etags.slice(1) })).status).toBe(400)
  expect(
    (await complete(ticket.id, { parts: etags.map((part) => ({ ...part, etag: 'nonsense' })) })).status,
  ).toBe(400)
  const confirmed = await complete(ticket.id, { parts: etags.toReversed() })
  expect(confirmed.status, await confirmed.clone().text()).toBe(200)
  expect(await stateOf(ticket.id)).toEqual({ state: 'published' })
  const got = await call('GET', `/uploads/${ticket.id}`)
  expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(bytes))
})

it('is never served once it was replaced behind the server’s back', async () => {
  const ticket = await ask(5000)
  await put(ticket, png(5000))
  await complete(ticket.id)
  expect(await stateOf(ticket.id)).toEqual({ state: 'published' })
  // The signed address still works: other bytes of the same length, never judged.
  const evil = Uint8Array.from(Buffer.from('<script>alert(1)</script>'.padEnd(5000)))
  expect((await put(ticket, evil)).status).toBe(200)
  const got = await call('GET', `/uploads/${ticket.id}`)
  expect(got.status).toBe(404)
  expect(await got.text()).not.toContain('<script>')
})

it('is rejected when its bytes are not what was said', async () => {
  const page = Uint8Array.from(Buffer.from('<!doctype html><script>alert(1)</script>'.padEnd(5000)))
  const disguised = await ask(5000)
  await put(disguised, page)
  await complete(disguised.id)
  expect(await stateOf(disguised.id)).toEqual({ state: 'rejected' })
  const other = await ask(5000, { sha256: sha256(png(4999)) })
  await put(other, png(5000))
  await complete(other.id)
  expect(await stateOf(other.id)).toEqual({ state: 'rejected' })
  expect(await on.usage()).toEqual({ reserved: 0, stored: 0, files: 0 })
})

it('is refused before anything is signed: type, size, kind, room, form', async () => {
  const status = async (more: object) =>
    (
      await call('POST', '/uploads/direct', {
        kind: 'document',
        name: 'a',
        type: 'image/png',
        size: 10,
        ...more,
      })
    ).status
  expect(await status({ type: 'video/mp4' })).toBe(415)
  expect(await status({ size: 20 * MB + 1 })).toBe(413)
  expect(await status({ size: 0 })).toBe(400)
  expect(await status({ kind: 'poem' })).toBe(422)
  expect(await status({ size: '10' })).toBe(422)
  for (let i = 0; i < 2; i++) await ask(20 * MB)
  expect(await status({ size: 1 })).toBe(403)
  expect((await on.call('POST', '/uploads/direct', { body: '{' })).status).toBe(400)
})

it('gives its room back when it is given up, and when it expires', async () => {
  const given = await ask(5000)
  expect((await call('DELETE', `/uploads/direct/${given.id}`)).status).toBe(204)
  expect((await complete(given.id)).status).toBe(410)
  const expired = await ask(5000, { multipart: true })
  await on.database.pool.query(
    "update breakwater.upload_transfers set expires_at = now() - interval '1 s' where upload_id = $1",
    [expired.id],
  )
  await on.age(expired.id)
  await call('POST', '/sweep')
  expect((await complete(expired.id)).status).toBe(410)
  expect(await on.usage()).toEqual({ reserved: 0, stored: 0, files: 0 })
})
