import { badUpload, stalled, tooLarge } from './errors.ts'

/** Where bytes come from, one chunk at a time; undefined is the end. */
export interface ByteSource {
  /** A chunk is valid until two more have been read and a third is asked for: its memory is then used again. */
  read(): Promise<Uint8Array | undefined>
  /** Lets go of what is behind. Never rejects. */
  cancel(reason?: unknown): Promise<void>
}

/** What is read at once at most. workerd's default reader gives 4 KiB, and each read costs the same. */
const READ_BYTES = 256 * 1024

/** A chunk that is held back, one that is dealt with, and one on its way. */
const TURNS = 3

type Read = () => Promise<ReadableStreamReadResult<Uint8Array>>

/** Reads large pieces where the stream can fill a buffer of ours, else what it gives. */
function reading(stream: ReadableStream<Uint8Array>): { read: Read; cancel(reason: unknown): Promise<void> } {
  let byob: ReadableStreamBYOBReader
  try {
    byob = stream.getReader({ mode: 'byob' })
  } catch {
    // Not a stream of bytes: made by hand, as in tests.
    const reader = stream.getReader()
    return { read: () => reader.read(), cancel: (reason) => reader.cancel(reason) }
  }
  // Used in turn: a large file would leave its own size in garbage behind, faster than it is collected.
  const turns: ArrayBufferLike[] = []
  let free: ArrayBufferLike | undefined
  return {
    async read() {
      const next = free ?? (turns.length === TURNS ? turns.shift() : undefined)
      free = undefined
      const usable = next instanceof ArrayBuffer && next.byteLength === READ_BYTES
      const { done, value } = await byob.read(new Uint8Array(usable ? next : new ArrayBuffer(READ_BYTES)))
      if (done || value === undefined) return { done: true, value: undefined }
      // A client that sends a byte at a time must not have us keep a large buffer for each.
      if (value.length < READ_BYTES / 4) {
        free = value.buffer
        return { done: false, value: value.slice() }
      }
      turns.push(value.buffer)
      return { done: false, value }
    },
    cancel: (reason) => byob.cancel(reason),
  }
}

/** A stream as a source. A read that rejects is a client that went away. */
export function fromStream(stream: ReadableStream<Uint8Array>): ByteSource {
  const reader = reading(stream)
  return {
    async read() {
      try {
        for (;;) {
          const { done, value } = await reader.read()
          if (done) return undefined
          if (value.length > 0) return value
        }
      } catch (error) {
        throw badUpload('The file was cut off before its end.', error)
      }
    },
    async cancel(reason) {
      await reader.cancel(reason).catch(() => {})
    },
  }
}

/** Reads one chunk ahead: the next comes in while the last one is dealt with. */
export function ahead(source: ByteSource): ByteSource {
  let next: Promise<Uint8Array | undefined> | undefined
  const begin = (): Promise<Uint8Array | undefined> => {
    const reading = source.read()
    // Heard by whoever reads next, if anybody does.
    reading.catch(() => {})
    return reading
  }
  return {
    async read() {
      const chunk = await (next ?? source.read())
      next = chunk && begin()
      return chunk
    },
    cancel: (reason) => source.cancel(reason),
  }
}

/** What a source is held to. */
export interface SourceLimits {
  readonly maxBytes: number
  /** The length that was announced, if one was. */
  readonly length?: number
  /** Milliseconds without a byte after which the client is given up. */
  readonly stallMs: number
}

const GRACE_MS = 100

/** A source that counts, and throws as soon as it is too long, too short, or too slow. */
export function limited(source: ByteSource, { maxBytes, length, stallMs }: SourceLimits): ByteSource {
  let received = 0
  return {
    async read() {
      let timer: ReturnType<typeof setTimeout> | undefined
      const stall = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          // Bytes may lie there that a busy isolate has not come to look at: let them be seen first.
          timer = setTimeout(() => reject(stalled()), GRACE_MS)
        }, stallMs)
      })
      try {
        const chunk = await Promise.race([source.read(), stall])
        received += chunk?.length ?? 0
        if (received > maxBytes) throw tooLarge(maxBytes)
        if (length !== undefined && (received > length || (chunk === undefined && received < length))) {
          throw badUpload('The file is not as long as its Content-Length.')
        }
        return chunk
      } finally {
        clearTimeout(timer)
      }
    },
    cancel: (reason) => source.cancel(reason),
  }
}

/** Reads at least `bytes` bytes, or all there is, and returns them with a source that begins with them again. */
export async function peek(
  source: ByteSource,
  bytes: number,
): Promise<{ head: Uint8Array; source: ByteSource }> {
  const chunks: Uint8Array[] = []
  let length = 0
  while (length < bytes) {
    const chunk = await source.read()
    if (chunk === undefined) break
    chunks.push(chunk)
    length += chunk.length
  }
  const head = new Uint8Array(Math.min(length, bytes))
  let at = 0
  for (const chunk of chunks) {
    head.set(chunk.subarray(0, head.length - at), at)
    at = Math.min(head.length, at + chunk.length)
  }
  return {
    head,
    source: {
      read: async () => chunks.shift() ?? source.read(),
      cancel: (reason) => source.cancel(reason),
    },
  }
}
