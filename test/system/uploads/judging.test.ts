import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateRawSync, gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { reprDigest, zip } from './files.ts'
import { stage } from './stage.ts'

const on = stage()
const { call } = on

async function upload(kind: string, body: Uint8Array<ArrayBuffer>, name = 'a') {
  const reply = await call('POST', `/direct?kind=${kind}&name=${encodeURIComponent(name)}`, { body })
  return {
    status: reply.status,
    ...((await reply.json()) as { id: string; state: string; reason: string; size: number; name: string }),
  }
}

it('a photo is published without the place it was taken at, and the quota knows its new size', async () => {
  const harbour = readFileSync(join(import.meta.dirname, '../../fixtures/harbour.jpg'))
  const comment = Buffer.from('GPS 59.9139 10.7522')
  const dirty = Uint8Array.from(
    Buffer.concat([
      harbour.subarray(0, 2),
      Buffer.from([0xff, 0xfe, 0, comment.length + 2]),
      comment,
      harbour.subarray(2),
    ]),
  )
  const view = await upload('photo', dirty)
  expect(view).toMatchObject({ status: 201, state: 'published' })
  const got = await call('GET', `/direct/${view.id}`)
  const bytes = new Uint8Array(await got.arrayBuffer())
  expect(Buffer.from(bytes).includes('GPS')).toBe(false)
  expect(bytes.length).toBeLessThan(dirty.length)
  expect(got.headers.get('repr-digest')).toBe(reprDigest(bytes))
  expect(await on.usage()).toMatchObject({ stored: bytes.length })
  expect(await on.keys()).toEqual([`uploads/photo/${view.id}.clean`])
  expect((await call('DELETE', `/direct/${view.id}`)).status).toBe(204)
  expect(await on.keys()).toEqual([])
})

it('an archive is bounded by what it announces, and refused when it hides something', async () => {
  const packed = deflateRawSync(Buffer.alloc(1_000_000))
  const files = (count: number, size: number) =>
    zip(Array.from({ length: count }, (_, i) => [`file${i}`, packed, size] as const))
  expect(await upload('archive', files(2, 1_000_000))).toMatchObject({ state: 'published' })
  expect(await upload('archive', files(2, 4_000_000_000))).toMatchObject({
    state: 'rejected',
    reason: 'archive-too-large',
  })
  expect(await upload('archive', files(6, 1))).toMatchObject({
    state: 'rejected',
    reason: 'archive-too-large',
  })
  const overlapping = zip(
    [
      ['a', packed, 9],
      ['b', packed, 9],
    ],
    true,
  )
  expect(await upload('archive', overlapping)).toMatchObject({ state: 'rejected', reason: 'archive-broken' })
  const polyglot = Uint8Array.from(
    Buffer.concat([Buffer.from(files(1, 1)), Buffer.from('<script>alert(1)</script>')]),
  )
  expect(await upload('archive', polyglot)).toMatchObject({ state: 'rejected', reason: 'archive-broken' })
})

it('a gzip is unpacked as far as it may go, whatever it says of itself', async () => {
  const gzip = (size: number) => Uint8Array.from(gzipSync(Buffer.alloc(size)))
  expect(await upload('archive', gzip(9_000_000))).toMatchObject({ state: 'published' })
  // Four hundred megabytes in four hundred kilobytes, and a word at the end that says ten bytes.
  const bomb = gzip(400_000_000)
  new DataView(bomb.buffer).setUint32(bomb.length - 4, 10, true)
  expect(await upload('archive', bomb)).toMatchObject({ state: 'rejected', reason: 'archive-too-large' })
  for (const broken of [
    gzip(1000).slice(0, -9),
    Uint8Array.from([...gzip(1000), ...Buffer.from('<script>')]),
  ]) {
    expect(await upload('archive', broken)).toMatchObject({ state: 'rejected', reason: 'archive-broken' })
  }
})

it.each([
  ['../../etc/passwd', 'passwd'],
  ['a\u0000b.png', 'ab.png'],
  ['photo\u202egnp.exe', 'photognp.exe'],
  ['"; filename="evil.exe', '"; filename="evil.exe'],
])('the name %j is only a header, and a safe one', async (name, kept) => {
  const view = await upload('document', Uint8Array.from(Buffer.from('plain text')), name)
  expect(view).toMatchObject({ state: 'published', name: kept })
  const { headers } = await call('GET', `/direct/${view.id}`)
  expect(headers.get('content-disposition')).toMatch(
    /^attachment; filename="[^"\\]*"(; filename\*=UTF-8''[\w%.!~-]+)?$/,
  )
})

it('a name of ten thousand letters keeps its extension and little else', async () => {
  const view = await upload(
    'document',
    Uint8Array.from(Buffer.from('plain text')),
    `${'a'.repeat(10_000)}.txt`,
  )
  expect(view.name).toHaveLength(200)
  expect(view.name).toMatch(/\.txt$/)
})
