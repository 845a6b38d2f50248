import type { Env } from 'hono'
import { BreakwaterError } from '../../core/errors.ts'
import { badUpload, storageUnavailable } from '../errors.ts'
import { type ProcessContext, processUpload } from '../process.ts'
import { settle, swept } from '../settle.ts'
import type { Transfer } from '../transfer-records.ts'

/** R2's codes for parts that are not what the client says: its fault, not the bucket's. */
const CLIENT_FAULTS = /\((10011|10025|10048|10049)\)/

function partsOf(input: unknown, count: number): R2UploadedPart[] {
  const list = (input as { parts?: unknown } | null | undefined)?.parts
  const parts = new Map<number, string>()
  for (const part of Array.isArray(list) ? (list as unknown[]) : []) {
    const { partNumber, etag } = (part ?? {}) as { partNumber?: unknown; etag?: unknown }
    if (Number.isInteger(partNumber) && typeof etag === 'string' && etag.length <= 200) {
      parts.set(partNumber as number, etag.replace(/^"(.*)"$/, '$1'))
    }
  }
  const ordered = Array.from({ length: count }, (_, at) => parts.get(at + 1))
  if (parts.size !== count || ordered.includes(undefined)) {
    throw badUpload(`Name every part from 1 to ${count} once, with the ETag that the bucket answered.`)
  }
  return ordered.map((etag, at) => ({ partNumber: at + 1, etag: etag ?? '' }))
}

/**
 * The client says it has sent everything: look at the object itself, and take it into quarantine. May be said any
 * number of times.
 */
export async function confirmDirect<E extends Env>(
  { upload, transfer }: Transfer,
  input: unknown,
  context: ProcessContext<E>,
): Promise<void> {
  const { bucket, options } = context
  const { multipartId, partBytes, length } = transfer
  if (length === null) throw new TypeError('a direct upload has a length')
  let object: R2Object | null = null
  if (multipartId !== null) {
    const parts = partsOf(input, Math.ceil(length / partBytes))
    try {
      object = await bucket.resumeMultipartUpload(upload.key, multipartId).complete(parts)
    } catch (error) {
      if (CLIENT_FAULTS.test(String(error)))
        throw badUpload('A part is missing or is not as long as agreed.', error)
    }
  }
  try {
    object ??= await bucket.head(upload.key)
  } catch (error) {
    throw storageUnavailable(error)
  }
  if (object === null) {
    throw new BreakwaterError('conflict', {
      status: 409,
      detail: 'The file has not arrived yet.',
      headers: { 'Retry-After': '2' },
    })
  }
  // Lengths are signed, so this is a bucket that does not check them, or parts of another size than agreed.
  if (object.size !== length) throw badUpload('The file is not as long as was announced.')
  if (!(await settle(upload.id, { size: object.size }, options))) throw swept()
  if (options.enqueue === undefined) await processUpload(upload.id, context)
}
