import { storageUnavailable } from './errors.ts'
import { Pieces } from './pieces.ts'

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

/** Bytes written to a stream at once: each write costs the same, whatever its size. */
const PIECE_BYTES = 1024 * 1024

/**
 * One object of a known length in one streamed write. The last piece is held back until `close`, so that an upload
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

  const send = async (bytes: Uint8Array): Promise<void> => {
    const written = writer.write(bytes)
    written.catch(() => {})
    await Promise.race([written, failed])
  }
  const pieces = new Pieces(Math.min(length, PIECE_BYTES), send)
  return {
    write: (chunk) => pieces.write(chunk),
    async close() {
      try {
        await pieces.arrived()
        if (pieces.rest.length > 0) await send(pieces.rest)
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
 * Two parts are in memory.
 */
export function partsSink({ bucket, key, contentType }: SinkTarget): Sink {
  const parts: R2UploadedPart[] = []
  let upload: R2MultipartUpload | undefined
  let wrote = false

  const send = async (bytes: Uint8Array<ArrayBuffer>): Promise<void> => {
    upload ??= await bucket.createMultipartUpload(key, { httpMetadata: { contentType } })
    for (let attempt = 1; ; attempt++) {
      try {
        parts.push(await upload.uploadPart(parts.length + 1, bytes))
        return
      } catch (error) {
        if (attempt === ATTEMPTS) throw error
      }
    }
  }
  const pieces = new Pieces(PART_BYTES, send)

  async function guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      throw storageUnavailable(error)
    }
  }

  return {
    write: (chunk) => guarded(() => pieces.write(chunk)),
    close: () =>
      guarded(async () => {
        wrote = true
        await pieces.arrived()
        if (upload === undefined) {
          await bucket.put(key, pieces.rest, { httpMetadata: { contentType } })
          return
        }
        await send(pieces.rest)
        await upload.complete(parts)
      }),
    async abort() {
      // A part that is on its way would outlive what is aborted around it.
      await pieces.arrived().catch(() => {})
      await upload?.abort().catch(() => {})
      if (wrote) await bucket.delete(key).catch(() => {})
    },
  }
}
