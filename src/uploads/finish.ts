import type { Env } from 'hono'
import { storageUnavailable } from './errors.ts'
import { type ProcessContext, processUpload } from './process.ts'
import { findUpload } from './records.ts'
import { settle } from './settle.ts'
import type { Transfer } from './transfer-records.ts'

async function assemble(bucket: R2Bucket, { upload, transfer }: Transfer): Promise<{ size: number } | null> {
  const { multipartId, etags } = transfer
  if (multipartId !== null) {
    try {
      const parts = etags.map((etag, at) => ({ etag, partNumber: at + 1 }))
      return await bucket.resumeMultipartUpload(upload.key, multipartId).complete(parts)
    } catch (error) {
      // It may have been completed before, by somebody who did not live to say so.
      const object = await bucket.head(upload.key).catch(() => null)
      if (object === null) throw storageUnavailable(error)
      return object
    }
  }
  return bucket.head(upload.key).catch((error: unknown) => {
    throw storageUnavailable(error)
  })
}

/**
 * Takes a transfer whose every byte has come into quarantine. May run any number of times, and at once: of those who
 * complete the parts one succeeds and the others find the object; the row moves once.
 * @returns False when the upload had been given up.
 */
export async function finishTransfer<E extends Env>(
  moved: Transfer,
  context: ProcessContext<E>,
): Promise<boolean> {
  const { options, bucket } = context
  const { id } = moved.upload
  const object = await assemble(bucket, moved)
  if (object === null || object.size !== moved.transfer.receivedBytes) {
    throw storageUnavailable(new Error('the stored object is not what was received'))
  }
  if (!(await settle(id, { size: object.size }, options))) {
    const state = (await findUpload(options.db, id))?.state
    return state !== undefined && state !== 'rejected' && state !== 'deleted'
  }
  if (options.enqueue === undefined) await processUpload(id, context)
  return true
}

/** Whether every byte has come, and nobody has taken note. */
export function isComplete({ upload, transfer }: Transfer): boolean {
  return (
    (upload.state === 'reserved' || upload.state === 'receiving') &&
    transfer.mode === 'tus' &&
    transfer.length !== null &&
    transfer.length === transfer.receivedBytes &&
    transfer.length > 0
  )
}
