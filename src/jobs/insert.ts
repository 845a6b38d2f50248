import { type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import { type JobsDatabase, type JobsTransaction, rowsOf } from './database.ts'
import { jobs } from './schema.ts'

/** What is written when a job is made. */
export interface NewJob {
  readonly id: string
  readonly type: string
  readonly version: number
  readonly input: unknown
  readonly inputObject?: string | undefined
  readonly key?: string | undefined
  readonly debounce?: { readonly key: string; readonly maxWait: number } | undefined
  readonly priority?: number
  /** Seconds. Infinity: until {@link NewJob.waitsFor} others have ended. */
  readonly delay: number
  readonly maxAttempts: number
  readonly leaseMs: number
  readonly traceparent?: string | undefined
  readonly batchId?: string | undefined
  readonly waitsFor?: number
}

/** Seconds that a message may take to arrive before the relay sends another. */
export const PATIENCE = 60

/** From how far ahead a delay is handed to the queue; further ones wait in Postgres. Within the queue's 24 hours. */
export const HORIZON: number = 12 * 3600

/** Every moment is told by the database's clock: workers' clocks differ, and stand still between I/O. */
export const inMs = (ms: number): SQL =>
  Number.isFinite(ms)
    ? sql`now() + ${ms}::double precision * interval '1 millisecond'`
    : sql`'infinity'::timestamptz`

/** When the relay first looks at a job that starts in so many seconds. */
const firstSend = (delay: number): number => (delay > HORIZON ? delay - HORIZON : delay + PATIENCE)

function values(row: NewJob) {
  return {
    id: row.id,
    type: row.type,
    version: row.version,
    // JSON's null, not SQL's.
    input: row.input ?? sql`'null'::jsonb`,
    inputObject: row.inputObject ?? null,
    key: row.key ?? null,
    debounce: row.debounce?.key ?? null,
    state: 'pending' as const,
    priority: row.priority ?? 0,
    runAt: inMs(row.delay * 1000),
    maxAttempts: row.maxAttempts,
    leaseMs: row.leaseMs,
    sendAfter: inMs(firstSend(row.delay) * 1000),
    batchId: row.batchId ?? null,
    batchOpen: row.batchId !== undefined,
    waitsFor: row.waitsFor ?? 0,
    traceparent: row.traceparent ?? null,
  }
}

/** A statement that makes a job and gives its id: to be awaited, or to be put into a batch. */
export type JobStatement = BatchItem<'pg'> & PromiseLike<{ id: string }[]>

/** The id of the job that exists now: the new one's, or the earlier one's with the same key. */
export function insertStatement(
  db: Pick<JobsDatabase, 'insert'> | Pick<JobsTransaction, 'insert'>,
  row: NewJob,
): JobStatement {
  const insert = db.insert(jobs).values(values(row))
  if (row.debounce === undefined) {
    return (
      insert
        // An update of nothing, so that the earlier job's id comes back in the same round trip.
        .onConflictDoUpdate({
          target: [jobs.type, jobs.key],
          targetWhere: sql`${jobs.key} is not null`,
          set: { key: sql`excluded.key` },
        })
        .returning({ id: jobs.id })
    )
  }
  const until = sql`least(excluded.run_at, ${jobs.createdAt} + ${row.debounce.maxWait}::double precision * interval '1 millisecond')`
  return insert
    .onConflictDoUpdate({
      target: [jobs.type, jobs.debounce],
      targetWhere: sql`${jobs.debounce} is not null`,
      // The last call's input counts, and the waiting begins anew, up to a bound.
      set: {
        input: sql`excluded.input`,
        inputObject: sql`excluded.input_object`,
        version: sql`excluded.version`,
        runAt: until,
        sendAfter: sql`${until} + ${PATIENCE} * interval '1 second'`,
        sends: 0,
      },
    })
    .returning({ id: jobs.id })
}

/** Writes one job, in the caller's transaction if there is one. Resolves with the id of the job that exists then. */
export async function insertJob(db: JobsDatabase | JobsTransaction, row: NewJob): Promise<string> {
  const [written] = await insertStatement(db, row)
  return written?.id ?? row.id
}

/** How many rows go into one statement: it must stay small enough to travel. */
export const ROWS_PER_INSERT = 1000

/**
 * Writes many at once; those whose key is taken are left out. Returns the ids of the rows that were written. The rows
 * travel as one parameter: to build a statement of thousands of them takes longer than to run it.
 */
export async function insertMany(
  db: JobsDatabase | JobsTransaction,
  rows: readonly NewJob[],
): Promise<ReadonlySet<string>> {
  const seconds = (value: number): number | null => (Number.isFinite(value) ? value : null)
  const json = JSON.stringify(
    rows.map(({ delay, ...row }) => ({
      ...row,
      delay: seconds(delay),
      send: seconds(firstSend(delay)),
      priority: row.priority ?? 0,
      waitsFor: row.waitsFor ?? 0,
    })),
  )
  const at = (column: SQL): SQL =>
    sql`case when ${column} is null then 'infinity'::timestamptz else now() + ${column} * interval '1 second' end`
  const written = rowsOf<{ id: string }>(
    await db.execute(sql`insert into ${jobs} (${ROW_COLUMNS}, batch_id, batch_open, waits_for)
      select r.id, r.type, r.version, coalesce(r.input, 'null'::jsonb), r."inputObject", r.key, 'pending', r.priority,
        ${at(sql`r.delay`)}, r."maxAttempts", r."leaseMs", ${at(sql`r.send`)}, r.traceparent,
        r."batchId", r."batchId" is not null, r."waitsFor"
      from jsonb_to_recordset(${json}::jsonb) as r (id uuid, type text, version int, input jsonb, "inputObject" text,
        key text, priority smallint, delay float8, send float8, "maxAttempts" int, "leaseMs" int, traceparent text,
        "batchId" uuid, "waitsFor" int)
      on conflict do nothing returning id::text as id`),
  )
  return new Set(written.map(({ id }) => id))
}

/** The columns of {@link rowSql}. */
export const ROW_COLUMNS: SQL = sql.raw(
  'id, type, version, input, input_object, key, state, priority, run_at, max_attempts, lease_ms, send_after, traceparent',
)

/** One row for `values` in plain SQL. */
export function rowSql(row: NewJob): SQL {
  const one = values(row)
  return sql`(${one.id}::uuid, ${one.type}::text, ${one.version}::int, ${JSON.stringify(row.input ?? null)}::jsonb,
    ${one.inputObject}::text, ${one.key}::text, 'pending', ${one.priority}::smallint, ${one.runAt}, ${one.maxAttempts}::int,
    ${one.leaseMs}::int, ${one.sendAfter}, ${one.traceparent}::text)`
}
