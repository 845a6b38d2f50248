import { and, desc, eq, inArray, lt, type SQL, sql } from 'drizzle-orm'
import type { JobsDatabase } from './database.ts'
import { list } from './ending.ts'
import { type JobRow, type JobState, jobs } from './schema.ts'

/** Which jobs. Everything given must fit; a filter that names nothing is refused where it would change jobs. */
export interface JobFilter {
  readonly ids?: readonly string[]
  readonly state?: JobState
  readonly type?: string
  /** The members of a batch, by the id of the job that completes it. */
  readonly batch?: string
}

/** Options of a list. */
export interface JobListOptions extends JobFilter {
  /** Jobs older than this one: the last id of the page before. */
  readonly before?: string
  /** Default 50, at most 500. */
  readonly limit?: number
}

/** A job as it is shown: without its input and its results, which may hold personal data. */
export type JobSummary = Omit<
  JobRow,
  'input' | 'inputObject' | 'steps' | 'leaseToken' | 'leaseMs' | 'sends' | 'debounce' | 'batchOpen'
>

const summary = {
  id: jobs.id,
  type: jobs.type,
  version: jobs.version,
  key: jobs.key,
  state: jobs.state,
  priority: jobs.priority,
  runAt: jobs.runAt,
  attempt: jobs.attempt,
  maxAttempts: jobs.maxAttempts,
  leaseUntil: jobs.leaseUntil,
  sendAfter: jobs.sendAfter,
  progress: jobs.progress,
  batchId: jobs.batchId,
  waitsFor: jobs.waitsFor,
  traceparent: jobs.traceparent,
  failure: jobs.failure,
  failureDetail: jobs.failureDetail,
  createdAt: jobs.createdAt,
  startedAt: jobs.startedAt,
  finishedAt: jobs.finishedAt,
} as const

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

function idsOf(filter: JobFilter): readonly string[] | undefined {
  for (const id of [...(filter.ids ?? []), ...(filter.batch === undefined ? [] : [filter.batch])]) {
    if (!UUID.test(id)) throw new TypeError('A job’s id is a UUID')
  }
  return filter.ids
}

/** The filter as a condition in plain SQL on a table called `jobs`, for statements that change jobs. */
export function whichJobs(filter: JobFilter): SQL {
  const ids = idsOf(filter)
  const parts = [
    ids && (ids.length > 0 ? sql`id in ${list(ids)}` : sql`false`),
    filter.state && sql`state = ${filter.state}`,
    filter.type !== undefined && sql`type = ${filter.type}`,
    filter.batch !== undefined && sql`batch_id = ${filter.batch}`,
  ].filter((part): part is SQL => Boolean(part))
  if (parts.length === 0) throw new TypeError('Say which jobs: ids, a state, a type, or a batch')
  return sql.join(parts, sql` and `)
}

function where(filter: JobFilter): SQL | undefined {
  const ids = idsOf(filter)
  return and(
    ids && inArray(jobs.id, [...ids]),
    filter.state && eq(jobs.state, filter.state),
    filter.type === undefined ? undefined : eq(jobs.type, filter.type),
    filter.batch === undefined ? undefined : eq(jobs.batchId, filter.batch),
  )
}

/** Jobs, newest first. */
export function listJobs(db: JobsDatabase, options: JobListOptions = {}): Promise<JobSummary[]> {
  const limit = Math.min(500, Math.max(1, options.limit ?? 50))
  return db
    .select(summary)
    .from(jobs)
    .where(and(where(options), options.before === undefined ? undefined : lt(jobs.id, options.before)))
    .orderBy(desc(jobs.id))
    .limit(limit)
}

/** How many jobs are in each state, by type. Reads every row. */
export async function countJobs(
  db: JobsDatabase,
): Promise<{ type: string; state: JobState; count: number }[]> {
  return db
    .select({ type: jobs.type, state: jobs.state, count: sql<number>`count(*)::int` })
    .from(jobs)
    .groupBy(jobs.type, jobs.state)
    .orderBy(jobs.type, jobs.state)
}

/** Makes dead or discarded jobs new again, with all their attempts; what their steps returned stays known. */
export function replayJobs(
  db: JobsDatabase,
  filter: JobFilter,
): Promise<{ id: string; traceparent: string | null }[]> {
  const waits = (ready: SQL): SQL =>
    sql`case when ${jobs.waitsFor} > 0 then 'infinity'::timestamptz else ${ready} end`
  return db
    .update(jobs)
    .set({
      state: 'pending',
      attempt: 0,
      runAt: waits(sql`now()`),
      sendAfter: waits(sql`now() + interval '1 minute'`),
      sends: 0,
      finishedAt: null,
      // It is no suspect any more: whoever replays it has looked at it.
      failure: null,
      failureDetail: null,
    })
    .where(and(whichJobs(filter), inArray(jobs.state, ['dead', 'discarded', 'cancelled'])))
    .returning({ id: jobs.id, traceparent: jobs.traceparent })
}
