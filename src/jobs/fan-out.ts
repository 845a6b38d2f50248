import type { JobsDatabase, JobsTransaction } from './database.ts'
import { insertMany, type NewJob, ROWS_PER_INSERT } from './insert.ts'
import type { AnyJob, JobRef } from './job.ts'
import type { PayloadOptions } from './payload.ts'
import { type JobEnqueueOptions, newJob } from './produce.ts'

/** One job of a batch. A key has no place here: a job that there was before would belong to no batch, or to two. */
export interface BatchMember<In = unknown> {
  readonly job: JobRef<In>
  readonly input: In
  readonly options?: Pick<JobEnqueueOptions, 'delay' | 'priority'>
}

/** A member of {@link Jobs.batch}, its input checked against its job's type. */
export function member<In>(
  job: JobRef<In>,
  input: NoInfer<In>,
  options?: BatchMember['options'],
): BatchMember<never> {
  return { job, input, ...(options && { options }) } as unknown as BatchMember<never>
}

/** Most jobs in one batch. */
const MAX_BATCH = 100_000

/**
 * The rows of a batch: its members, and the job that waits for them. With no members, that one starts at once.
 */
export async function batchRows(
  members: readonly BatchMember<never>[],
  completion: BatchMember<never>,
  payloads: PayloadOptions | undefined,
): Promise<{ readonly completion: NewJob; readonly members: readonly NewJob[] }> {
  if (members.length > MAX_BATCH) throw new TypeError(`A batch has at most ${MAX_BATCH} jobs`)
  const make = ({ job, input, options = {} }: BatchMember<never>) =>
    newJob(job as unknown as AnyJob, input, { ...options }, payloads)
  const last = await make(completion)
  const rows: NewJob[] = []
  for (const one of members) rows.push({ ...(await make(one)), batchId: last.id })
  const waits = members.length > 0 && { waitsFor: members.length, delay: Number.POSITIVE_INFINITY }
  return { completion: { ...last, ...waits, id: last.id }, members: rows }
}

/** Writes rows, in one transaction however many there are. Returns those that were written. */
export async function insertAll(
  db: JobsDatabase | JobsTransaction,
  rows: readonly NewJob[],
): Promise<ReadonlySet<string>> {
  if (rows.length === 0) return new Set()
  if (rows.length <= ROWS_PER_INSERT) return insertMany(db, rows)
  return (db as JobsDatabase).transaction(async (tx: JobsTransaction) => {
    const written = new Set<string>()
    for (let i = 0; i < rows.length; i += ROWS_PER_INSERT) {
      for (const id of await insertMany(tx, rows.slice(i, i + ROWS_PER_INSERT))) written.add(id)
    }
    return written
  })
}
