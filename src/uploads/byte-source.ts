import { badUpload, stalled, tooLarge } from './errors.ts'

/** Where bytes come from, one chunk at a time; undefined is the end. */
export interface ByteSource {
  read(): Promise<Uint8Array | undefined>
  /** Lets go of what is behind. Never rejects. */
  cancel(reason?: unknown): Promise<void>
}

/** A stream as a source. A read that rejects is a client that went away. */
export function fromStream(stream: ReadableStream<Uint8Array>): ByteSource {
  const reader = stream.getReader()
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

/** What a source is held to. */
export interface SourceLimits {
  readonly maxBytes: number
  /** The length that was announced, if one was. */
  readonly length?: number
  /** Milliseconds without a byte after which the client is given up. */
  readonly stallMs: number
}

/** A source that counts, and throws as soon as it is too long, too short, or too slow. */
export function limited(source: ByteSource, { maxBytes, length, stallMs }: SourceLimits): ByteSource {
  let received = 0
  return {
    async read() {
      let timer: ReturnType<typeof setTimeout> | undefined
      const stall = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(stalled()), stallMs)
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
