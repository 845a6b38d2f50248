import { storageUnavailable } from './errors.ts'
import { Gathering } from './gathering.ts'

/** Takes bytes into the bucket. Nothing is there until `close` resolves. */
export interface Sink {
  write(chunk: Uint8Array): Promise<void>
  close(): Promise<void>
  /** Undoes everything. Never rejects. */
  abort(): Promise<void>
}

/** What the object is to be. */
export interface SinkTarget {
  readonly bucket: R2Bucket
  readonly key: string
  readonly contentType: string
}

/**
 * One object of a known length in one streamed write. The last chunk is held back until `close`, so that an upload
 * found wrong at its end never becomes an object.
 */
export function fixedSink({ bucket, key, contentType }: SinkTarget, length: number): Sink {
  const { readable, writable } = new FixedLengthStream(length)
  const writer = writable.getWriter()
  writer.closed.catch(() => {})
  const put = bucket.put(key, readable, { httpMetadata: { contentType } })
  // A write waits for its reader; when the put has failed there is none.
  const failed = put.then(
    () => new Promise<never>(() => {}),
    (error: unknown) => Promise.reject(storageUnavailable(error)),
  )
  failed.catch(() => {})
  let held: Uint8Array | undefined

  const send = async (chunk: Uint8Array): Promise<void> => {
    const written = writer.write(chunk)
    written.catch(() => {})
    await Promise.race([written, failed])
  }
  return {
    async write(chunk) {
      if (held !== undefined) await send(held)
      held = chunk
    },
    async close() {
      try {
        if (held !== undefined) await send(held)
        await Promise.race([writer.close(), failed])
        await put
      } catch (error) {
        throw storageUnavailable(error)
      }
    },
    async abort() {
      await writer.abort(new Error('upload given up')).catch(() => {})
      await put.catch(() => {})
      // The put may have finished before the upload was given up.
      await bucket.delete(key).catch(() => {})
    },
  }
}

/** Parts of a multipart upload: all but the last must be equal, and at least 5 MiB. */
export const PART_BYTES: number = 5 * 1024 * 1024
const ATTEMPTS = 3

/**
 * One object of unknown length. What fits into one part is written at once; beyond that a multipart upload is begun.
 * One part is held in memory.
 */
export function partsSink({ bucket, key, contentType }: SinkTarget, partBytes: number = PART_BYTES): Sink {
  const parts: R2UploadedPart[] = []
  let upload: R2MultipartUpload | undefined
  let part = new Gathering(partBytes)
  let wrote = false

  async function flush(): Promise<void> {
    upload ??= await bucket.createMultipartUpload(key, { httpMetadata: { contentType } })
    for (let attempt = 1; ; attempt++) {
      try {
        parts.push(await upload.uploadPart(parts.length + 1, part.bytes))
        break
      } catch (error) {
        if (attempt === ATTEMPTS) throw error
      }
    }
    part = new Gathering(partBytes, part.buffer)
  }

  async function guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      throw storageUnavailable(error)
    }
  }

  return {
    async write(chunk) {
      let rest = chunk
      while (rest.length > 0) {
        // A part is sent only when more follows: the last one may be of any length but must be there.
        if (part.full) await guarded(() => flush())
        rest = part.add(rest)
      }
    },
    close: () =>
      guarded(async () => {
        wrote = true
        if (upload === undefined) {
          await bucket.put(key, part.bytes, { httpMetadata: { contentType } })
          return
        }
        await flush()
        await upload.complete(parts)
      }),
    async abort() {
      await upload?.abort().catch(() => {})
      if (wrote) await bucket.delete(key).catch(() => {})
    },
  }
}
