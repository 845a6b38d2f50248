import { and, desc, eq, inArray, lt, type SQL, sql } from 'drizzle-orm'
import type { JobsDatabase } from './database.ts'
import { type JobRow, type JobState, jobs } from './schema.ts'

/** Which jobs. Everything given must fit. */
export interface JobFilter {
  readonly ids?: readonly string[]
  readonly state?: JobState
  readonly type?: string
}

/** Options of a list. */
export interface JobListOptions extends JobFilter {
  /** Jobs older than this one: the last id of the page before. */
  readonly before?: string
  /** Default 50, at most 500. */
  readonly limit?: number
}

/** A job as it is shown: without its input, which may hold personal data. */
export type JobSummary = Omit<JobRow, 'input' | 'leaseToken' | 'leaseMs' | 'sends'>

const summary = {
  id: jobs.id,
  type: jobs.type,
  version: jobs.version,
  key: jobs.key,
  state: jobs.state,
  runAt: jobs.runAt,
  attempt: jobs.attempt,
  maxAttempts: jobs.maxAttempts,
  leaseUntil: jobs.leaseUntil,
  sendAfter: jobs.sendAfter,
  traceparent: jobs.traceparent,
  failure: jobs.failure,
  failureDetail: jobs.failureDetail,
  createdAt: jobs.createdAt,
  startedAt: jobs.startedAt,
  finishedAt: jobs.finishedAt,
} as const

function where(filter: JobFilter): SQL | undefined {
  return and(
    filter.ids && inArray(jobs.id, [...filter.ids]),
    filter.state && eq(jobs.state, filter.state),
    filter.type === undefined ? undefined : eq(jobs.type, filter.type),
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

/** How many jobs are in each state, by type. */
export async function countJobs(
  db: JobsDatabase,
): Promise<{ type: string; state: JobState; count: number }[]> {
  return db
    .select({ type: jobs.type, state: jobs.state, count: sql<number>`count(*)::int` })
    .from(jobs)
    .groupBy(jobs.type, jobs.state)
}

/** Makes dead or discarded jobs new again, with all their attempts. Returns what is to be sent. */
export function replayJobs(
  db: JobsDatabase,
  filter: JobFilter,
): Promise<{ id: string; traceparent: string | null }[]> {
  return db
    .update(jobs)
    .set({
      state: 'pending',
      attempt: 0,
      runAt: sql`now()`,
      sendAfter: sql`now() + interval '1 minute'`,
      sends: 0,
      finishedAt: null,
    })
    .where(and(where(filter), inArray(jobs.state, ['dead', 'discarded', 'cancelled'])))
    .returning({ id: jobs.id, traceparent: jobs.traceparent })
}

/** Ends jobs that nobody will run any more: pending ones are cancelled, dead ones discarded. Returns how many. */
export async function endJobs(
  db: JobsDatabase,
  filter: JobFilter,
  from: 'pending' | 'dead',
): Promise<number> {
  const rows = await db
    .update(jobs)
    .set({ state: from === 'dead' ? 'discarded' : 'cancelled', finishedAt: sql`now()` })
    .where(and(where(filter), eq(jobs.state, from)))
    .returning({ id: jobs.id })
  return rows.length
}

/** Deletes what has been over for longer than it is kept, in bounded bites. Returns how many. */
export async function pruneJobs(
  db: JobsDatabase,
  keepMs: { done: number; dead: number },
  limit: number,
): Promise<number> {
  const rows = await db
    .delete(jobs)
    .where(
      sql`${jobs.id} in (select id from ${jobs} where finished_at < now() - interval '1 millisecond' *
        (case when state = 'dead' then ${keepMs.dead}::double precision else ${keepMs.done}::double precision end)
        and finished_at < now() - interval '1 millisecond' * ${Math.min(keepMs.dead, keepMs.done)}::double precision
        order by finished_at limit ${limit} for update skip locked)`,
    )
    .returning({ id: jobs.id })
  return rows.length
}
