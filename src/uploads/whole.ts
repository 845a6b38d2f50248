import { span } from '../core/work.ts'
import { storageUnavailable } from './errors.ts'
import { Gathering } from './gathering.ts'
import type { Sink } from './sink.ts'

/**
 * Uploads of at most so many bytes are held whole until the database has taken them: one statement then does what
 * takes two around a stream. Many at once must fit into an isolate.
 */
export const WHOLE_BYTES: number = 1024 * 1024

/** Keeps bytes for {@link storeWhole}; nothing is written anywhere. */
export function wholeSink(): Sink & { readonly bytes: Uint8Array<ArrayBuffer> } {
  const gathering = new Gathering(WHOLE_BYTES)
  return {
    get bytes() {
      return gathering.bytes
    },
    async write(chunk) {
      if (gathering.add(chunk).length > 0) throw new RangeError('more bytes than can be held')
    },
    async close() {},
    async abort() {},
  }
}

/** By then it must be stored. Less than the minute after which a queue's message is taken for lost and sent again. */
const PATIENCE = 30_000

/** Stores bytes whose row is there already. R2 holds them against their SHA-256. */
export async function storeWhole(
  bucket: R2Bucket,
  key: string,
  bytes: Uint8Array<ArrayBuffer>,
  { type, sha256 }: { readonly type: string; readonly sha256: string },
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the bucket does not answer')), PATIENCE)
  })
  try {
    const put = () => bucket.put(key, bytes, { httpMetadata: { contentType: type }, sha256 })
    await span('object-store', 'put', () => Promise.race([put(), late]))
  } catch (error) {
    throw storageUnavailable(error)
  } finally {
    clearTimeout(timer)
  }
}
