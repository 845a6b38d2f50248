import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it } from 'vitest'
import { type ByteSource, fromStream } from '../../../src/uploads/byte-source.ts'
import { firstFile } from '../../../src/uploads/form.ts'
import { type Incoming, type ReceiveOptions, receive } from '../../../src/uploads/receive.ts'
import { PART_BYTES } from '../../../src/uploads/sink.ts'

const bucket = (env as { BUCKET: R2Bucket }).BUCKET
const PNG = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

function png(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8)) & 0xff
  bytes.set(PNG.subarray(0, Math.min(size, PNG.length)))
  return bytes
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** A source of chunks of odd sizes, so that no boundary of ours falls on one of theirs. */
function chunked(bytes: Uint8Array, size = 70_001): ByteSource & { cancelled: boolean } {
  let at = 0
  return {
    cancelled: false,
    async read() {
      if (at >= bytes.length) return undefined
      const chunk = bytes.slice(at, at + size)
      at += size
      return chunk
    },
    async cancel() {
      this.cancelled = true
    },
  }
}

const options = (over: Partial<ReceiveOptions> = {}): ReceiveOptions => ({
  bucket,
  key: 'k',
  maxBytes: 50_000_000,
  types: ['image/png'],
  stallMs: 5000,
  ...over,
})

async function keys(): Promise<string[]> {
  return (await bucket.list()).objects.map(({ key }) => key)
}

/** The bucket with some of its methods replaced, and a count of multipart uploads begun and ended. */
function failing(over: Partial<Record<'put' | 'uploadPart' | 'complete', Error>>): {
  bucket: R2Bucket
  multipart: { open: number }
} {
  const multipart = { open: 0 }
  const faulty = {
    delete: (key: string) => bucket.delete(key),
    put: async (key: string, value: ReadableStream, options: R2PutOptions) => {
      if (over.put) throw over.put
      return bucket.put(key, value, options)
    },
    async createMultipartUpload(key: string) {
      const upload = await bucket.createMultipartUpload(key)
      multipart.open += 1
      return {
        uploadPart: async (n: number, bytes: Uint8Array) => {
          if (over.uploadPart && n === 2) throw over.uploadPart
          return upload.uploadPart(n, bytes)
        },
        complete: async (parts: R2UploadedPart[]) => {
          if (over.complete) throw over.complete
          const object = await upload.complete(parts)
          multipart.open -= 1
          return object
        },
        abort: async () => {
          await upload.abort()
          multipart.open -= 1
        },
      }
    },
  }
  return { bucket: faulty as unknown as R2Bucket, multipart }
}

afterEach(async () => {
  for (const key of await keys()) await bucket.delete(key)
})

describe('a file that arrives whole', () => {
  it.each([
    ['of known length', 300_000, true],
    ['of known length, shorter than the head', 9, true],
    ['of unknown length, less than a part', 300_000, false],
    ['of unknown length, exactly one part', PART_BYTES, false],
    ['of unknown length, exactly two parts', 2 * PART_BYTES, false],
    ['of unknown length, two parts and a byte', 2 * PART_BYTES + 1, false],
  ])('%s is stored as it was sent', async (_, size, known) => {
    const bytes = png(size)
    const incoming = { source: chunked(bytes), ...(known && { length: size }) }
    const received = await receive(incoming, options())
    expect(received).toEqual({ type: 'image/png', size, sha256: await sha256(bytes) })
    const object = await bucket.get('k')
    expect(object?.httpMetadata?.contentType).toBe('image/png')
    expect(await sha256(new Uint8Array((await object?.arrayBuffer()) ?? new ArrayBuffer(0)))).toBe(
      received.sha256,
    )
  })

  it('is taken when its digest is the one announced', async () => {
    const bytes = png(200_000)
    const announced = await sha256(bytes)
    const received = await receive(
      { source: chunked(bytes), length: bytes.length, sha256: announced },
      options(),
    )
    expect(received.sha256).toBe(announced)
  })
})

describe('a file that is wrong leaves nothing behind', () => {
  const bytes = png(300_000)
  const big = png(2 * PART_BYTES + 5)
  const wrong = 'ab'.repeat(32)
  const cases: [string, () => Incoming, Partial<ReceiveOptions>, number][] = [
    ['empty', () => ({ source: chunked(new Uint8Array(0)) }), {}, 400],
    ['longer than announced', () => ({ source: chunked(bytes), length: 200_000 }), {}, 400],
    ['shorter than announced', () => ({ source: chunked(bytes), length: 400_000 }), {}, 400],
    [
      'larger than allowed, length known',
      () => ({ source: chunked(bytes), length: 300_000 }),
      { maxBytes: 99_999 },
      413,
    ],
    [
      'larger than allowed, length unknown',
      () => ({ source: chunked(big) }),
      { maxBytes: big.length - 1 },
      413,
    ],
    [
      'not of its announced digest',
      () => ({ source: chunked(bytes), length: 300_000, sha256: wrong }),
      {},
      400,
    ],
    ['not of its announced digest, in parts', () => ({ source: chunked(big), sha256: wrong }), {}, 400],
    ['of a type that is not allowed', () => ({ source: chunked(bytes) }), { types: ['image/gif'] }, 415],
    ['of another type than declared', () => ({ source: chunked(bytes), declaredType: 'image/gif' }), {}, 415],
  ]
  it.each(cases)('%s', async (_, incoming, over, status) => {
    const from = incoming()
    await expect(receive(from, options(over))).rejects.toMatchObject({ status })
    expect(await keys()).toEqual([])
    expect((from.source as { cancelled?: boolean }).cancelled).toBe(true)
  })

  it.each([undefined, 300_000])('its client stalls (length %s)', async (length) => {
    let reads = 0
    const source: ByteSource = {
      read: () => (reads++ < 2 ? Promise.resolve(bytes.slice(0, 9000)) : new Promise(() => {})),
      cancel: async () => {},
    }
    const incoming = { source, ...(length !== undefined && { length }) }
    await expect(receive(incoming, options({ stallMs: 50 }))).rejects.toMatchObject({ status: 408 })
    expect(await keys()).toEqual([])
  })

  it.each([undefined, 300_000])('its client goes away (length %s)', async (length) => {
    let sent = false
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent) controller.error(new Error('connection reset'))
        else controller.enqueue(bytes.slice(0, 9000))
        sent = true
      },
    })
    const incoming = { source: fromStream(stream), ...(length !== undefined && { length }) }
    await expect(receive(incoming, options())).rejects.toMatchObject({ status: 400 })
    expect(await keys()).toEqual([])
  })
})

describe('a bucket that fails', () => {
  const big = png(2 * PART_BYTES + 5)

  it('is a 503 and no upload, when the put is refused', async () => {
    const { bucket } = failing({ put: new Error('R2 is down') })
    const incoming = { source: chunked(big), length: big.length }
    await expect(receive(incoming, options({ bucket }))).rejects.toMatchObject({ status: 503 })
    expect(await keys()).toEqual([])
  })

  it.each(['uploadPart', 'complete'] as const)(
    'gives up the multipart upload when %s fails',
    async (step) => {
      const { bucket, multipart } = failing({ [step]: new Error('R2 is down') })
      await expect(receive({ source: chunked(big) }, options({ bucket }))).rejects.toMatchObject({
        status: 503,
      })
      expect(multipart.open).toBe(0)
      expect(await keys()).toEqual([])
    },
  )
})

describe('a form', () => {
  const form = (...parts: string[]): ReadableStream<Uint8Array> =>
    new Response(`${parts.map((part) => `--b\r\nContent-Disposition: form-data; ${part}\r\n`).join('')}--b--`)
      .body ?? new ReadableStream()

  it('made by the platform is read back, file and type', async () => {
    const bytes = png(500_000)
    const data = new FormData()
    data.set('note', 'hello')
    data.set('file', new File([bytes], 'søren.png', { type: 'image/png' }))
    const request = new Request('https://x.example', { method: 'POST', body: data })
    const boundary = /boundary=(.*)$/.exec(request.headers.get('content-type') ?? '')?.[1] ?? ''
    const file = await firstFile(fromStream(request.body ?? new ReadableStream()), boundary)
    expect(file.fileName).toBe('søren.png')
    expect(file.headers.get('content-type')).toBe('image/png')
    const received = await receive({ source: file.source }, options())
    expect(received).toMatchObject({ size: 500_000, sha256: await sha256(bytes) })
  })

  it('with a second file is refused rather than read half', async () => {
    const body = form('name="a"; filename="a"\r\n\r\n\x89PNG\r\n\x1a\n', 'name="b"; filename="b"\r\n\r\ny')
    const file = await firstFile(fromStream(body), 'b')
    await file.source.read()
    await expect(file.source.read()).rejects.toThrow('more than one file')
  })

  it('without a file, or cut off, is refused', async () => {
    await expect(firstFile(fromStream(form('name="a"\r\n\r\nx')), 'b')).rejects.toThrow('has no file')
    const cut = new Response('--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nabc').body
    const file = await firstFile(fromStream(cut ?? new ReadableStream()), 'b')
    await expect(
      (async () => {
        while ((await file.source.read()) !== undefined);
      })(),
    ).rejects.toThrow('closing boundary')
  })
})
