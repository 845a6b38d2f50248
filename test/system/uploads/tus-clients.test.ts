import { createHash, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { Upload } from 'tus-js-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTusPeer, type TusPeer } from '../../conformance/tus-peer.ts'
import { create, patch, send, type TusReply, type TusTarget } from '../../conformance/tus-rows.ts'
import { png, sha256 } from './files.ts'
import { stage } from './stage.ts'

const on = stage()
let peer: TusPeer

beforeAll(async () => {
  peer = await startTusPeer(20_000_000)
})
afterAll(() => peer?.stop())

it('serves tus-js-client: paused, found again by its address, resumed, whole', async () => {
  const bytes = png(13_000_000)
  const options = {
    endpoint: `${on.url}/direct/tus`,
    headers: { 'x-user': on.user },
    metadata: { kind: 'document', filename: 'harbour.png', filetype: 'image/png', sha256: sha256(bytes) },
    chunkSize: 2_000_000,
    retryDelays: [100, 300, 1000],
  }
  const url = await new Promise<string>((resolve, reject) => {
    const first = new Upload(Buffer.from(bytes), {
      ...options,
      onError: reject,
      onChunkComplete: (_size, accepted) => {
        if (accepted > 5_000_000) void first.abort().then(() => resolve(first.url ?? ''))
      },
    })
    first.start()
  })
  const resumedFrom: number[] = []
  await new Promise<void>((resolve, reject) => {
    const second = new Upload(Buffer.from(bytes), {
      ...options,
      uploadUrl: url,
      onError: reject,
      onChunkComplete: (size, accepted) => resumedFrom.push(accepted - size),
      onSuccess: () => resolve(),
    })
    second.start()
  })
  expect(resumedFrom[0]).toBeGreaterThanOrEqual(5_000_000)
  const got = await fetch(`${on.url}/direct/${url.split('/').at(-1)}`, { headers: { 'x-user': on.user } })
  expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(bytes))
})

it('serves tus-js-client with a stream of a length not known before', async () => {
  const bytes = png(6_000_000)
  const stream = Readable.from([bytes.slice(0, 1000), bytes.slice(1000)])
  const url = await new Promise<string>((resolve, reject) => {
    const upload = new Upload(stream, {
      endpoint: `${on.url}/direct/tus`,
      headers: { 'x-user': on.user },
      metadata: { kind: 'document', filename: 'harbour.png', filetype: 'image/png' },
      chunkSize: 1_500_000,
      uploadLengthDeferred: true,
      onError: reject,
      onSuccess: () => resolve(upload.url ?? ''),
    })
    upload.start()
  })
  const got = await fetch(`${on.url}/direct/${url.split('/').at(-1)}`, { headers: { 'x-user': on.user } })
  expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(bytes))
})

// One step of a client that may be confused.
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('patch' as const),
      at: fc.constantFrom(0, 0, 0, 1, -1, 500),
      size: fc.integer({ min: 0, max: 2500 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'head' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'delete' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('length' as const), length: fc.integer({ min: 24, max: 6000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('bad' as const),
      name: fc.constantFrom('Content-Type', 'Upload-Offset', 'Tus-Resumable'),
      value: fc.constantFrom('x', '-1', '2.0.0'),
    }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const FIELDS = ['upload-offset', 'upload-length', 'upload-defer-length', 'tus-resumable']
const shown = ({ status, headers }: TusReply) => ({
  // 404 and 410 are each right for what is gone; 400 and 413 each for what does not fit.
  status: status === 410 ? 404 : status,
  ...(status < 300 && Object.fromEntries(FIELDS.map((name) => [name, headers.get(name)]))),
})

async function play(
  target: TusTarget,
  deferred: boolean,
  length: number,
  steps: readonly Step[],
): Promise<unknown[]> {
  const bytes = target.file(10_000)
  const { reply, url } = await create(
    target,
    deferred ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(length) },
  )
  const seen: unknown[] = [shown(reply)]
  let offset = 0
  let known: number | undefined = deferred ? undefined : length
  for (const one of steps) {
    let reply: TusReply
    if (one.do === 'patch') {
      const at = Math.max(0, offset + one.at)
      // Beyond the end each server has its own way.
      const size = Math.min(one.size, (known ?? 10_000) - at)
      if (size < 1) continue
      reply = await patch(target, url, at, bytes.slice(at, at + size))
      if (reply.status === 204) offset = Number(reply.headers.get('upload-offset'))
    } else if (one.do === 'length') {
      // Said again, ours takes the same length and theirs none; nothing to send is nothing to compare.
      if (known !== undefined || one.length <= offset) continue
      reply = await patch(target, url, offset, bytes.slice(offset, offset + 1), {
        'Upload-Length': String(one.length),
      })
      if (reply.status === 204) {
        known = one.length
        offset += 1
      }
    } else if (one.do === 'bad') {
      reply = await patch(target, url, offset, bytes.slice(0, 1), { [one.name]: one.value })
      // Whether a field is malformed or unsupported: both refuse, in the order they look.
      seen.push(reply.status >= 400)
      continue
    } else {
      reply = await send(target, one.do === 'head' ? 'HEAD' : 'DELETE', url)
    }
    seen.push({ step: one.do, ...shown(reply) })
    if (one.do === 'delete') break
  }
  return seen
}

it('answers any sequence of requests with the status and fields of tus’s own server', async () => {
  const metadata = ['kind', 'document', 'filename', 'a.png', 'filetype', 'image/png']
  const text = (value = '') => Buffer.from(value).toString('base64')
  const field = [0, 2, 4].map((at) => `${metadata[at]} ${text(metadata[at + 1])}`).join(',')
  const file = (size: number) => png(size)
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      // Shorter is no PNG, which ours refuses in the end.
      fc.integer({ min: 24, max: 6000 }),
      fc.array(step, { maxLength: 8 }),
      async (deferred, length, steps) => {
        const ours: TusTarget = {
          url: `${on.url}/uploads/tus`,
          headers: { 'x-user': randomUUID() },
          metadata: field,
          file,
        }
        const theirs: TusTarget = { url: peer.url, headers: {}, metadata: field, file }
        expect(await play(ours, deferred, length, steps)).toEqual(await play(theirs, deferred, length, steps))
      },
    ),
    { numRuns: Number(process.env['TUS_RUNS'] ?? 40) },
  )
})

it('takes a checksum of every algorithm it names', async () => {
  const bytes = png(3000)
  const target: TusTarget = {
    url: `${on.url}/uploads/tus`,
    headers: { 'x-user': on.user },
    metadata: `kind ${Buffer.from('document').toString('base64')}`,
    file: (size) => png(size),
  }
  const told = (await send(target, 'OPTIONS', target.url)).headers.get('tus-checksum-algorithm') ?? ''
  for (const name of told.split(',')) {
    const { url } = await create(target, { 'Upload-Length': '3000' })
    const sum = createHash(name).update(bytes).digest('base64')
    expect(
      (await patch(target, url, 0, png(2999), { 'Upload-Checksum': `${name} ${sum}` })).status,
      name,
    ).toBe(460)
    expect((await patch(target, url, 0, bytes, { 'Upload-Checksum': `${name} ${sum}` })).status, name).toBe(
      204,
    )
  }
})
