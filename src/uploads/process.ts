import type { Env } from 'hono'
import { inspect, type ProcessContext, r2 } from './inspect.ts'
import { endStatement, findUpload, markPublished, markPurged, type UploadRow } from './records.ts'
import type { UploadState } from './state.ts'
import { transferOf } from './transfer-records.ts'

export type { ProcessContext } from './inspect.ts'

/** Removes the object of an ended upload, and what was made of it. May run any number of times. */
export async function purge<E extends Env>(
  row: Pick<UploadRow, 'id' | 'key'>,
  { options, bucket }: Pick<ProcessContext<E>, 'options' | 'bucket'>,
): Promise<void> {
  const [transfer, derived] = await Promise.all([
    transferOf(options.db, row.id),
    // Whatever was ever made of it, under whichever declarations.
    r2('list', () => bucket.list({ prefix: `${row.key}.` })),
  ])
  const keys = [
    row.key,
    ...derived.objects.map(({ key }) => key),
    ...(transfer?.tailKey ? [transfer.tailKey] : []),
  ]
  await r2('delete', () => bucket.delete(keys))
  // Fails when it was completed or has vanished; what is then left of it vanishes by itself after a week.
  if (transfer?.multipartId)
    await bucket
      .resumeMultipartUpload(row.key, transfer.multipartId)
      .abort()
      .catch(() => {})
  await markPurged(options.db, row.id)
}

/**
 * Takes an upload from `quarantined` to `published` or `rejected`. Each step is taken from the state the row is in,
 * so that a second run, or one that died half way, does no harm.
 */
export async function processUpload<E extends Env>(
  id: string,
  context: ProcessContext<E>,
): Promise<UploadState | undefined> {
  const { db } = context.options
  const row = await findUpload(db, id)
  if (row === undefined) return undefined
  const state = row.state as UploadState
  if (state === 'rejected' || state === 'deleted') {
    if (row.purgedAt === null) await purge(row, context)
    return state
  }
  if (state !== 'quarantined' && state !== 'scanned') return state
  if (state === 'scanned') return markPublished(db, id)
  context.signal.throwIfAborted()
  const verdict = await inspect(row, context)
  if (!verdict.ok) {
    await db.execute(endStatement(id, 'rejected', { reason: verdict.reason }))
    await purge(row, context)
    return 'rejected'
  }
  const now = await markPublished(db, id, verdict.found)
  // Its place was taken by a copy without metadata. Should this fail, the reconciliation removes it.
  if (verdict.found.key !== undefined) await context.bucket.delete(row.key).catch(() => {})
  return now
}
