import { storageUnavailable } from './errors.ts'
import { borrow, Gathering, giveBack } from './gathering.ts'
import type { Progress } from './transfer-records.ts'

/** How a {@link PartWriter} works. */
export interface PartWriterOptions {
  readonly bucket: R2Bucket
  readonly key: string
  /** Bytes of every part but the last. */
  readonly partBytes: number
  /** Bytes that are announced. Where they fill a part, memory for it is taken at once: growing leaves as much behind. */
  readonly announced?: number | undefined
  /** A new key for bytes that do not fill a part. */
  readonly newTailKey: () => string
  /** Known at the latest when the first part is full. */
  readonly contentType: () => string | undefined
  /**
   * Called each time a part is safe. Resolves with whether that was written down; rejects when somebody else is writing
   * by now.
   */
  readonly save: (progress: Progress) => Promise<boolean>
}

const ATTEMPTS = 3

/**
 * Makes equal parts of bytes that come in pieces of any size, over any number of requests. What does not fill a part
 * waits in an object of its own. One part fills while the one before it travels: two are in memory.
 */
export class PartWriter {
  readonly #options: PartWriterOptions
  readonly #start: Progress
  #upload: R2MultipartUpload | undefined
  #etags: string[]
  #part: Gathering
  #spare: Uint8Array<ArrayBuffer> | undefined
  #travelling: Promise<void> = Promise.resolve()
  #kept = false
  /** How far it has come, tail included. */
  received: number

  constructor(options: PartWriterOptions, start: Progress) {
    this.#options = options
    this.#start = start
    this.#etags = [...start.etags]
    this.received = start.receivedBytes
    const { partBytes, announced = 0 } = options
    this.#part = new Gathering(partBytes, announced < partBytes ? undefined : borrow(partBytes))
    if (start.multipartId !== null) {
      this.#upload = options.bucket.resumeMultipartUpload(options.key, start.multipartId)
    }
  }

  /** Fetches what an earlier request left. Call it first. */
  async open(): Promise<void> {
    const { tailKey, receivedBytes } = this.#start
    if (tailKey === null) return
    const expected = receivedBytes - this.#etags.length * this.#options.partBytes
    const tail = await guarded(() => this.#options.bucket.get(tailKey))
    if (tail === null || tail.size !== expected) throw storageUnavailable(new Error('a tail is missing'))
    this.#part.add(new Uint8Array(await guarded(() => tail.arrayBuffer())))
  }

  /** The beginning of the file, as long as its first part has not been sent. */
  get head(): Uint8Array | undefined {
    return this.#etags.length === 0 && this.#upload === undefined ? this.#part.bytes : undefined
  }

  async write(chunk: Uint8Array): Promise<void> {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#part.full) await this.#flush()
      rest = this.#part.add(rest)
    }
    this.received += chunk.length
  }

  /** Puts away what does not fill a part, so that a later request can go on. */
  async suspend(): Promise<Progress> {
    if (this.#part.full) await this.#flush()
    await this.#travelling
    if (this.#part.length === 0) return this.#progress(null)
    if (this.received === this.#start.receivedBytes) return this.#start
    const tailKey = this.#options.newTailKey()
    await guarded(() => this.#options.bucket.put(tailKey, this.#part.bytes))
    return this.#progress(tailKey)
  }

  /** Stores the last bytes. The object is there when there was no part before; else the parts are to be completed. */
  async end(): Promise<Progress> {
    if (this.#upload === undefined) {
      const { bucket, key } = this.#options
      const contentType = this.#options.contentType()
      await guarded(() =>
        bucket.put(key, this.#part.bytes, {
          ...(contentType !== undefined && { httpMetadata: { contentType } }),
        }),
      )
      return this.#progress(null)
    }
    if (this.#part.length > 0) await this.#flush()
    await this.#travelling
    return this.#progress(null)
  }

  /** Waits for what is on its way, whatever becomes of it. */
  async quiesce(): Promise<void> {
    await this.#travelling.catch(() => {})
  }

  /** Progress was written down that counts on the parts that were sent. */
  keep(): void {
    this.#kept = true
  }

  /**
   * Forgets what came since it was last written down. Parts sent since then are sent again under the same numbers; a
   * multipart upload goes only when nothing that was written down counts on it.
   */
  async discard(): Promise<void> {
    await this.quiesce()
    if (this.#start.multipartId === null && !this.#kept) await this.#upload?.abort().catch(() => {})
  }

  /** Gives its memory back. Nothing may be called after it. */
  async release(): Promise<void> {
    await this.quiesce()
    const { partBytes } = this.#options
    for (const buffer of [this.#part.buffer, this.#spare]) if (buffer?.length === partBytes) giveBack(buffer)
    this.#part = new Gathering(0)
    this.#spare = undefined
  }

  #progress(tailKey: string | null): Progress {
    const { received } = this
    return {
      receivedBytes: received,
      multipartId: this.#upload?.uploadId ?? null,
      etags: [...this.#etags],
      tailKey,
    }
  }

  /** Sends a part on its way, once the one before it has arrived. */
  async #flush(): Promise<void> {
    await this.#travelling
    const { bucket, key, partBytes, save } = this.#options
    const contentType = this.#options.contentType()
    this.#upload ??= await guarded(() =>
      bucket.createMultipartUpload(key, {
        ...(contentType !== undefined && { httpMetadata: { contentType } }),
      }),
    )
    const upload = this.#upload
    const { bytes, buffer } = this.#part
    const number = this.#etags.length + 1
    this.#part = new Gathering(partBytes, this.#spare ?? borrow(partBytes))
    this.#spare = undefined
    const sent = async (): Promise<void> => {
      const part = await guarded(() => retried(() => upload.uploadPart(number, bytes)))
      this.#etags.push(part.etag)
      this.#spare = buffer
      const written = await save({
        receivedBytes: Math.max(this.#start.receivedBytes, (number - 1) * partBytes + bytes.length),
        multipartId: upload.uploadId,
        etags: [...this.#etags],
        tailKey: null,
      })
      if (written) this.keep()
    }
    this.#travelling = sent()
    // Heard by whoever awaits it next.
    this.#travelling.catch(() => {})
  }
}

async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
    }
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storageUnavailable(error)
  }
}
