import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Row } from './table.ts'

/** A tus server under test. */
export interface TusTarget {
  /** Where uploads are created. */
  readonly url: string
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>
  /** `Upload-Metadata` that makes the server take `file`. */
  readonly metadata: string
  /** Bytes that the server accepts as a whole file. */
  file(size: number): Uint8Array<ArrayBuffer>
}

/** A reply, with its header fields and status. */
export interface TusReply {
  readonly status: number
  readonly headers: Headers
}

/** Sends one request of the protocol. A header that is undefined is left out. */
export async function send(
  { headers }: TusTarget,
  method: string,
  url: string,
  more: Readonly<Record<string, string | undefined>> = {},
  body?: Uint8Array<ArrayBuffer>,
): Promise<TusReply> {
  const all = new Headers({ 'Tus-Resumable': '1.0.0', ...headers })
  for (const [name, value] of Object.entries(more)) {
    if (value === undefined) all.delete(name)
    else all.set(name, value)
  }
  const signal = AbortSignal.timeout(20_000)
  const reply = await fetch(url, { method, headers: all, signal, ...(body && { body }) })
  await reply.arrayBuffer()
  return reply
}

const STREAM = 'application/offset+octet-stream'

/** Begins an upload and returns its address. */
export async function create(
  target: TusTarget,
  more: Readonly<Record<string, string | undefined>>,
  body?: Uint8Array<ArrayBuffer>,
): Promise<{ reply: TusReply; url: string }> {
  const reply = await send(target, 'POST', target.url, { 'Upload-Metadata': target.metadata, ...more }, body)
  const location = reply.headers.get('location')
  return { reply, url: location === null ? '' : new URL(location, target.url).href }
}

/** Sends bytes. */
export function patch(
  target: TusTarget,
  url: string,
  offset: number,
  body: Uint8Array<ArrayBuffer>,
  more: Readonly<Record<string, string | undefined>> = {},
): Promise<TusReply> {
  return send(
    target,
    'PATCH',
    url,
    { 'Upload-Offset': String(offset), 'Content-Type': STREAM, ...more },
    body,
  )
}

function equal(what: string, found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(`${what} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`)
}

function within(what: string, found: unknown, wanted: readonly unknown[]): void {
  if (!wanted.includes(found))
    throw new Error(`${what} is ${JSON.stringify(found)}, none of ${wanted.join(', ')}`)
}

const sha1 = (bytes: Uint8Array): string => `sha1 ${createHash('sha1').update(bytes).digest('base64')}`

/** Sends the beginning of a body and goes away. */
async function cutOff(target: TusTarget, url: string, announced: number, body: Uint8Array): Promise<void> {
  const outgoing = request(url, {
    method: 'PATCH',
    headers: {
      'Tus-Resumable': '1.0.0',
      ...target.headers,
      'Upload-Offset': '0',
      'Content-Type': STREAM,
      'Content-Length': String(announced),
    },
  })
  outgoing.on('error', () => {})
  outgoing.write(body)
  await sleep(400)
  outgoing.destroy()
}

interface Check {
  readonly id: string
  readonly title: string
  /** Left out when the server does not announce it. */
  readonly extension?: string
  run(target: TusTarget): Promise<void>
}

const NOWHERE = '00000000-0000-7000-8000-000000000000'

async function offsetOf(target: TusTarget, url: string): Promise<string | null> {
  return (await send(target, 'HEAD', url)).headers.get('upload-offset')
}

const core: Check[] = [
  {
    id: 'core.head.offset',
    title: 'HEAD tells Upload-Offset, even when it is 0',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      equal('Upload-Offset', await offsetOf(t, url), '0')
      await patch(t, url, 0, t.file(5000).slice(0, 1000))
      equal('Upload-Offset', await offsetOf(t, url), '1000')
    },
  },
  {
    id: 'core.head.length',
    title: 'HEAD tells Upload-Length when it is known',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      equal('Upload-Length', (await send(t, 'HEAD', url)).headers.get('upload-length'), '5000')
    },
  },
  {
    id: 'core.head.status',
    title: 'HEAD is answered 200 or 204, and is not to be stored',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      const reply = await send(t, 'HEAD', url)
      within('the status', reply.status, [200, 204])
      equal('Cache-Control', reply.headers.get('cache-control'), 'no-store')
    },
  },
  {
    id: 'core.head.missing',
    title: 'HEAD on what does not exist is 404, 410 or 403, without Upload-Offset',
    async run(t) {
      const reply = await send(t, 'HEAD', `${t.url}/${NOWHERE}`)
      within('the status', reply.status, [403, 404, 410])
      equal('Upload-Offset', reply.headers.get('upload-offset'), null)
    },
  },
  {
    id: 'core.patch.type',
    title: 'PATCH with another Content-Type is 415',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      for (const type of ['application/octet-stream', 'text/plain', 'image/png']) {
        equal(type, (await patch(t, url, 0, t.file(5000), { 'Content-Type': type })).status, 415)
      }
      equal('Upload-Offset', await offsetOf(t, url), '0')
    },
  },
  {
    id: 'core.patch.conflict',
    title: 'PATCH at another offset is 409 and changes nothing',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      const bytes = t.file(5000)
      await patch(t, url, 0, bytes.slice(0, 1000))
      for (const offset of [0, 999, 1001, 4000]) {
        equal(`at ${offset}`, (await patch(t, url, offset, bytes.slice(offset, offset + 10))).status, 409)
      }
      equal('Upload-Offset', await offsetOf(t, url), '1000')
    },
  },
  {
    id: 'core.patch.success',
    title: 'PATCH is acknowledged with 204 and the new offset, until all is there',
    async run(t) {
      const bytes = t.file(5000)
      const { url } = await create(t, { 'Upload-Length': '5000' })
      let offset = 0
      for (const size of [1, 4096, 3, 900]) {
        const reply = await patch(t, url, offset, bytes.slice(offset, offset + size))
        offset += size
        equal('the status', reply.status, 204)
        equal('Upload-Offset', reply.headers.get('upload-offset'), String(offset))
      }
      equal('Upload-Offset', await offsetOf(t, url), '5000')
    },
  },
  {
    id: 'core.patch.missing',
    title: 'PATCH on what does not exist is 404',
    async run(t) {
      within('the status', (await patch(t, `${t.url}/${NOWHERE}`, 0, t.file(10))).status, [404, 410, 403])
    },
  },
  {
    id: 'core.patch.partial',
    title: 'What came of a request that broke off is kept (SHOULD)',
    async run(t) {
      const bytes = t.file(500_000)
      const { url } = await create(t, { 'Upload-Length': '500000' })
      await cutOff(t, url, 500_000, bytes.subarray(0, 100_000))
      let reply = await send(t, 'HEAD', url)
      for (let tries = 0; tries < 30 && !Number(reply.headers.get('upload-offset')); tries++) {
        await sleep(200)
        reply = await send(t, 'HEAD', url)
      }
      const offset = Number(reply.headers.get('upload-offset'))
      if (!(offset > 0 && offset <= 100_000)) throw new Error(`Upload-Offset is ${offset}`)
      equal('the rest', (await patch(t, url, offset, bytes.slice(offset))).status, 204)
    },
  },
  {
    id: 'core.patch.beyond',
    title: 'More bytes than Upload-Length are refused',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      within('the status', (await patch(t, url, 0, t.file(5001))).status, [400, 413])
    },
  },
  {
    id: 'core.options',
    title: 'OPTIONS is 200 or 204, tells Tus-Version, and asks for no Tus-Resumable',
    async run(t) {
      const reply = await send(t, 'OPTIONS', t.url, { 'Tus-Resumable': undefined })
      within('the status', reply.status, [200, 204])
      if (!reply.headers.get('tus-version')?.split(',').includes('1.0.0'))
        throw new Error('Tus-Version lacks 1.0.0')
    },
  },
  {
    id: 'core.options.extensions',
    title: 'OPTIONS tells extensions as a list, and Tus-Max-Size as a number',
    async run(t) {
      const { headers } = await send(t, 'OPTIONS', t.url)
      if (!/^[a-z-]+(,[a-z-]+)*$/.test(headers.get('tus-extension') ?? ''))
        throw new Error('Tus-Extension is no list')
      if (!/^\d+$/.test(headers.get('tus-max-size') ?? '0')) throw new Error('Tus-Max-Size is no number')
    },
  },
  {
    id: 'core.offset.form',
    title: 'An Upload-Offset that is no whole number is refused; so is none at all',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      for (const value of ['-1', '1.5', 'x', '1e3', undefined]) {
        const { status } = await patch(t, url, 0, t.file(10), { 'Upload-Offset': value })
        within(`the status for ${value}`, status, [400, 403, 409])
      }
    },
  },
  {
    id: 'core.length.form',
    title: 'An Upload-Length that is no whole number is refused',
    async run(t) {
      for (const value of ['-1', '1.5', 'x', '']) {
        equal(value, (await create(t, { 'Upload-Length': value })).reply.status, 400)
      }
    },
  },
  {
    id: 'core.resumable.response',
    title: 'Tus-Resumable is in every reply, refusals too',
    async run(t) {
      const { reply, url } = await create(t, { 'Upload-Length': '5000' })
      const replies = [
        reply,
        await send(t, 'HEAD', url),
        await patch(t, url, 0, t.file(5000).slice(0, 10)),
        await patch(t, url, 0, t.file(10)),
        await patch(t, url, 10, t.file(10), { 'Content-Type': 'text/plain' }),
        await send(t, 'HEAD', `${t.url}/${NOWHERE}`),
        (await create(t, {})).reply,
      ]
      for (const { status, headers } of replies)
        equal(`Tus-Resumable of a ${status}`, headers.get('tus-resumable'), '1.0.0')
    },
  },
  {
    id: 'core.resumable.version',
    title: 'Another version is 412 with Tus-Version, and nothing is done',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      for (const version of ['0.2.2', '2.0.0', undefined]) {
        const reply = await patch(t, url, 0, t.file(10), { 'Tus-Resumable': version })
        equal('the status', reply.status, 412)
        if (version !== undefined && reply.headers.get('tus-version') === null)
          throw new Error('Tus-Version is missing')
      }
      equal('Upload-Offset', await offsetOf(t, url), '0')
    },
  },
  {
    id: 'core.override',
    title: 'X-HTTP-Method-Override is the method; the one of the request is ignored',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      const headers = { 'X-HTTP-Method-Override': 'PATCH', 'Upload-Offset': '0', 'Content-Type': STREAM }
      const reply = await send(t, 'POST', url, headers, t.file(5000).slice(0, 100))
      equal('the status', reply.status, 204)
      equal('Upload-Offset', await offsetOf(t, url), '100')
    },
  },
]

const creation: Check[] = [
  {
    id: 'creation.post',
    title: 'POST is 201 with a Location',
    extension: 'creation',
    async run(t) {
      const { reply, url } = await create(t, { 'Upload-Length': '5000' })
      equal('the status', reply.status, 201)
      if (url === '') throw new Error('there is no Location')
    },
  },
  {
    id: 'creation.too-large',
    title: 'More than Tus-Max-Size is 413',
    extension: 'creation',
    async run(t) {
      const max = (await send(t, 'OPTIONS', t.url)).headers.get('tus-max-size')
      if (max === null) return
      equal('the status', (await create(t, { 'Upload-Length': String(Number(max) + 1) })).reply.status, 413)
    },
  },
  {
    id: 'creation.one-length',
    title: 'Neither length, or both, is 400',
    extension: 'creation',
    async run(t) {
      equal('neither', (await create(t, {})).reply.status, 400)
      const both = { 'Upload-Length': '5', 'Upload-Defer-Length': '1' }
      equal('both', (await create(t, both)).reply.status, 400)
    },
  },
  {
    id: 'creation.metadata',
    title: 'HEAD tells Upload-Metadata as it was given',
    extension: 'creation',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      const told = (await send(t, 'HEAD', url)).headers.get('upload-metadata') ?? ''
      equal('Upload-Metadata', told.split(',').sort().join(), t.metadata.split(',').sort().join())
    },
  },
  {
    id: 'creation.metadata.form',
    title: 'Upload-Metadata that is malformed is 400',
    extension: 'creation',
    async run(t) {
      for (const bad of ['a !!!', `${t.metadata},a YQ== b`, `${t.metadata},a YQ==,a YQ==`]) {
        equal(bad, (await create(t, { 'Upload-Length': '5', 'Upload-Metadata': bad })).reply.status, 400)
      }
    },
  },
  {
    id: 'creation-with-upload.bytes',
    title: 'POST with bytes tells their Upload-Offset',
    extension: 'creation-with-upload',
    async run(t) {
      const bytes = t.file(5000)
      const { reply, url } = await create(
        t,
        { 'Upload-Length': '5000', 'Content-Type': STREAM },
        bytes.slice(0, 1200),
      )
      equal('the status', reply.status, 201)
      equal('Upload-Offset', reply.headers.get('upload-offset'), '1200')
      equal('the rest', (await patch(t, url, 1200, bytes.slice(1200))).status, 204)
    },
  },
  {
    id: 'creation-with-upload.whole',
    title: 'POST may bring the whole file',
    extension: 'creation-with-upload',
    async run(t) {
      const head = { 'Upload-Length': '5000', 'Content-Type': STREAM }
      const { reply, url } = await create(t, head, t.file(5000))
      equal('Upload-Offset', reply.headers.get('upload-offset'), '5000')
      equal('Upload-Offset of HEAD', await offsetOf(t, url), '5000')
    },
  },
  {
    id: 'defer.head',
    title: 'HEAD tells Upload-Defer-Length: 1 as long as the length is not known, and no Upload-Length',
    extension: 'creation-defer-length',
    async run(t) {
      const { reply, url } = await create(t, { 'Upload-Defer-Length': '1' })
      equal('the status', reply.status, 201)
      const { headers } = await send(t, 'HEAD', url)
      equal('Upload-Defer-Length', headers.get('upload-defer-length'), '1')
      equal('Upload-Length', headers.get('upload-length'), null)
    },
  },
  {
    id: 'defer.form',
    title: 'Upload-Defer-Length other than 1 is 400',
    extension: 'creation-defer-length',
    async run(t) {
      for (const value of ['0', '2', 'true']) {
        equal(value, (await create(t, { 'Upload-Defer-Length': value })).reply.status, 400)
      }
    },
  },
  {
    id: 'defer.known',
    title: 'The length may be said with a PATCH, and is told from then on',
    extension: 'creation-defer-length',
    async run(t) {
      const bytes = t.file(5000)
      const { url } = await create(t, { 'Upload-Defer-Length': '1' })
      equal('first', (await patch(t, url, 0, bytes.slice(0, 2000))).status, 204)
      equal(
        'second',
        (await patch(t, url, 2000, bytes.slice(2000, 3000), { 'Upload-Length': '5000' })).status,
        204,
      )
      const { headers } = await send(t, 'HEAD', url)
      equal('Upload-Length', headers.get('upload-length'), '5000')
      equal('Upload-Defer-Length', headers.get('upload-defer-length'), null)
      equal('last', (await patch(t, url, 3000, bytes.slice(3000))).status, 204)
    },
  },
  {
    id: 'defer.fixed',
    title: 'A length once said does not change',
    extension: 'creation-defer-length',
    async run(t) {
      const bytes = t.file(5000)
      const { url } = await create(t, { 'Upload-Defer-Length': '1' })
      await patch(t, url, 0, bytes.slice(0, 2000), { 'Upload-Length': '5000' })
      equal(
        'the status',
        (await patch(t, url, 2000, bytes.slice(2000, 3000), { 'Upload-Length': '4000' })).status,
        400,
      )
      equal('Upload-Length', (await send(t, 'HEAD', url)).headers.get('upload-length'), '5000')
    },
  },
  {
    id: 'defer.too-small',
    title: 'A length below what has come is refused',
    extension: 'creation-defer-length',
    async run(t) {
      const { url } = await create(t, { 'Upload-Defer-Length': '1' })
      await patch(t, url, 0, t.file(5000).slice(0, 2000))
      within(
        'the status',
        (await patch(t, url, 2000, t.file(10), { 'Upload-Length': '100' })).status,
        [400, 413],
      )
    },
  },
]

const others: Check[] = [
  {
    id: 'expiration.post',
    title: 'Upload-Expires is in the reply to POST, as an HTTP date ahead',
    extension: 'expiration',
    async run(t) {
      const { reply } = await create(t, { 'Upload-Length': '5000' })
      const value = reply.headers.get('upload-expires') ?? ''
      equal('Upload-Expires', value, new Date(value).toUTCString())
      if (Date.parse(value) <= Date.now()) throw new Error('it has expired already')
    },
  },
  {
    id: 'expiration.patch',
    title: 'Upload-Expires is in the reply to every PATCH that leaves something to send',
    extension: 'expiration',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      const reply = await patch(t, url, 0, t.file(5000).slice(0, 1000))
      if (reply.headers.get('upload-expires') === null) throw new Error('it is missing')
    },
  },
  {
    id: 'checksum.options',
    title: 'OPTIONS tells Tus-Checksum-Algorithm, sha1 among them',
    extension: 'checksum',
    async run(t) {
      const told = (await send(t, 'OPTIONS', t.url)).headers.get('tus-checksum-algorithm') ?? ''
      if (!told.split(',').includes('sha1')) throw new Error(`it is "${told}"`)
    },
  },
  {
    id: 'checksum.match',
    title: 'Bytes with the right checksum are taken',
    extension: 'checksum',
    async run(t) {
      const bytes = t.file(5000)
      const { url } = await create(t, { 'Upload-Length': '5000' })
      const first = bytes.slice(0, 3000)
      equal('the status', (await patch(t, url, 0, first, { 'Upload-Checksum': sha1(first) })).status, 204)
      const rest = bytes.slice(3000)
      equal('the status', (await patch(t, url, 3000, rest, { 'Upload-Checksum': sha1(rest) })).status, 204)
    },
  },
  {
    id: 'checksum.mismatch',
    title: 'Bytes with a wrong checksum are 460 and forgotten',
    extension: 'checksum',
    async run(t) {
      const bytes = t.file(5000)
      const { url } = await create(t, { 'Upload-Length': '5000' })
      await patch(t, url, 0, bytes.slice(0, 1000))
      const reply = await patch(t, url, 1000, bytes.slice(1000), { 'Upload-Checksum': sha1(bytes) })
      equal('the status', reply.status, 460)
      equal('Upload-Offset', await offsetOf(t, url), '1000')
      equal('again', (await patch(t, url, 1000, bytes.slice(1000))).status, 204)
    },
  },
  {
    id: 'checksum.unknown',
    title: 'An algorithm that is not served is 400, and nothing is taken',
    extension: 'checksum',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      equal(
        'the status',
        (await patch(t, url, 0, t.file(10), { 'Upload-Checksum': 'crc32 AAAAAA==' })).status,
        400,
      )
      equal('Upload-Offset', await offsetOf(t, url), '0')
    },
  },
  {
    id: 'termination.delete',
    title: 'DELETE is 204, and from then on the upload is 404 or 410',
    extension: 'termination',
    async run(t) {
      const { url } = await create(t, { 'Upload-Length': '5000' })
      await patch(t, url, 0, t.file(5000).slice(0, 1000))
      equal('the status', (await send(t, 'DELETE', url)).status, 204)
      within('HEAD', (await send(t, 'HEAD', url)).status, [404, 410])
      within('PATCH', (await patch(t, url, 1000, t.file(10))).status, [404, 410])
      within('DELETE', (await send(t, 'DELETE', url)).status, [404, 410])
    },
  },
  ...[
    ['concatenation.partial', 'Upload-Concat: partial makes partial uploads'],
    ['concatenation.final', 'Upload-Concat: final joins them'],
    ['concatenation.final.patch', 'PATCH on a final upload is 403'],
    ['concatenation.head', 'HEAD tells Upload-Concat'],
  ].map(
    ([id = '', title = '']): Check => ({
      id,
      title,
      extension: 'concatenation',
      run: () => Promise.reject(new Error('it is announced, and not looked at here')),
    }),
  ),
  {
    id: 'checksum-trailer',
    title: 'Upload-Checksum as a trailer',
    extension: 'checksum-trailer',
    run: () => Promise.reject(new Error('it is announced, and not looked at here')),
  },
]

/** Asks every MUST of tus 1.0, black box. */
export async function tusRows(target: TusTarget): Promise<Row[]> {
  const told = (await send(target, 'OPTIONS', target.url)).headers.get('tus-extension') ?? ''
  const extensions = new Set(told.split(','))
  const rows: Row[] = []
  for (const { id, title, extension, run } of [...core, ...creation, ...others]) {
    if (extension !== undefined && !extensions.has(extension)) {
      rows.push({ id, title, status: 'na', note: 'not announced in Tus-Extension, which is optional' })
      continue
    }
    try {
      await run(target)
      rows.push({ id, title, status: 'pass' })
    } catch (error) {
      rows.push({ id, title, status: 'fail', note: (error as Error).message })
    }
  }
  return rows
}
