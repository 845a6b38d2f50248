import { toHex } from '../core/bytes.ts'
import { span } from '../core/work.ts'
import { ahead, type ByteSource, limited, peek } from './byte-source.ts'
import { digestMismatch, emptyFile, wrongType } from './errors.ts'
import { fixedSink, partsSink, type Sink } from './sink.ts'
import { agreeOnType, HEAD_BYTES } from './sniff.ts'

/** A file on its way in. */
export interface Incoming {
  readonly source: ByteSource
  /** Bytes, when the client said how many. */
  readonly length?: number
  /** The type the client declared, if it said anything. */
  readonly declaredType?: string
  /** The SHA-256 the client announced, 64 hexadecimal digits. */
  readonly sha256?: string
}

/** What it is held to, and where it goes. */
export interface ReceiveOptions {
  readonly bucket: R2Bucket
  readonly key: string
  readonly maxBytes: number
  readonly types: readonly string[]
  readonly stallMs: number
  /** Takes the bytes instead of the bucket. */
  readonly sink?: Sink
}

/** What came. */
export interface Received {
  readonly type: string
  readonly size: number
  readonly sha256: string
}

/**
 * Streams a file into the bucket, or into another sink: measured, hashed and told by its bytes on the way, never held whole.
 * Either every byte is stored and checked, or it throws and nothing is left in the bucket.
 */
export async function receive(incoming: Incoming, options: ReceiveOptions): Promise<Received> {
  const { source: raw, length, declaredType, sha256: announced } = incoming
  const { maxBytes, stallMs, types } = options
  const metered = limited(raw, { maxBytes, stallMs, ...(length !== undefined && { length }) })
  try {
    const { head, source } = await peek(metered, HEAD_BYTES)
    if (head.length === 0) throw emptyFile()
    const verdict = agreeOnType(head, declaredType, types)
    if (!verdict.ok) throw wrongType(verdict.detail, types)
    const target = { bucket: options.bucket, key: options.key, contentType: verdict.type }
    const sink = options.sink ?? (length === undefined ? partsSink(target) : fixedSink(target, length))
    const stored = await span('object-store', 'put', () => pump(ahead(source), sink, announced))
    return { type: verdict.type, ...stored }
  } catch (error) {
    await raw.cancel(error)
    throw error
  }
}

async function pump(
  source: ByteSource,
  sink: Sink,
  announced: string | undefined,
): Promise<{ size: number; sha256: string }> {
  const digest = new crypto.DigestStream('SHA-256')
  digest.digest.catch(() => {})
  const hasher = digest.getWriter()
  hasher.closed.catch(() => {})
  let size = 0
  try {
    for (let chunk = await source.read(); chunk !== undefined; chunk = await source.read()) {
      size += chunk.length
      await Promise.all([hasher.write(chunk), sink.write(chunk)])
    }
    await hasher.close()
    const sha256 = toHex(new Uint8Array(await digest.digest))
    if (announced !== undefined && announced !== sha256) throw digestMismatch()
    await sink.close()
    return { size, sha256 }
  } catch (error) {
    await hasher.abort(error).catch(() => {})
    await sink.abort()
    throw error
  }
}
