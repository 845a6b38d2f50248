import type { Env } from 'hono'
import { finishTransfer } from './finish.ts'
import { type ProcessContext, processUpload, purge } from './process.ts'
import { endStatement, findUnfinished, findUnpurged } from './records.ts'
import { findComplete, forgetTransfers } from './transfer-records.ts'

/** What one sweep did. */
export interface SweepReport {
  /** Reservations given back because their bytes never came whole. */
  readonly released: number
  /** Uploads processed that their job had left behind. */
  readonly processed: number
  /** Objects removed. */
  readonly purged: number
  /** Uploads that could not be dealt with and will be tried again. */
  readonly failed: number
}

// A sweep shares its tick with others: it takes little, often.
const RELEASES = 100
const PROCESSES = 10
const PURGES = 50

/** Mends what was left half done: isolates end, queues lose, buckets fail. */
export async function sweepUploads<E extends Env>(
  context: ProcessContext<E>,
  now: number,
): Promise<SweepReport> {
  const { options, signal } = context
  const { db, staleMs } = options
  const before = new Date(now - staleMs)
  let [released, processed, purged, failed] = [0, 0, 0, 0]

  for (const moved of await findComplete(db, before, PROCESSES)) {
    if (signal.aborted) break
    try {
      await finishTransfer(moved, context)
      processed += 1
    } catch {
      failed += 1
    }
  }
  for (const { id } of await findUnfinished(db, ['reserved', 'receiving'], before, RELEASES)) {
    if (signal.aborted) break
    const { rows } = await db.execute(endStatement(id, 'rejected', { reason: 'stale', unmovedSince: before }))
    released += rows.length
  }
  for (const { id } of await findUnfinished(db, ['quarantined', 'scanned'], before, PROCESSES)) {
    if (signal.aborted) break
    try {
      await processUpload(id, context)
      processed += 1
    } catch {
      failed += 1
    }
  }
  for (const row of await findUnpurged(db, before, PURGES)) {
    if (signal.aborted) break
    try {
      await purge(row, context)
      purged += 1
    } catch {
      failed += 1
    }
  }
  await forgetTransfers(db, PURGES)
  return { released, processed, purged, failed }
}
