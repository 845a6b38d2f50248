import { and, eq, inArray, type SQL, sql } from 'drizzle-orm'
import { uuidv7 } from '../core/index.ts'
import type { JobsDatabase, JobsTransaction } from './database.ts'
import { type JobRow, jobs } from './schema.ts'

/** What is written when a job is made. */
export interface NewJob {
  readonly id: string
  readonly type: string
  readonly version: number
  readonly input: unknown
  readonly key: string | undefined
  /** Seconds. */
  readonly delay: number
  readonly maxAttempts: number
  readonly leaseMs: number
  readonly traceparent: string | undefined
}

/** Seconds that a message may take to arrive before the relay sends another. */
export const PATIENCE = 60

/** From how far ahead a delay is handed to the queue; further ones wait in Postgres. Within the queue's 24 hours. */
export const HORIZON = 12 * 3600

/** Every moment is told by the database's clock: workers' clocks differ, and stand still between I/O. */
const inMs = (ms: number): SQL => sql`now() + ${ms}::double precision * interval '1 millisecond'`

/** The id of the job that exists now: the new one's, or the earlier one's with the same key. */
export function insertStatement(
  db: Pick<JobsDatabase, 'insert'> | Pick<JobsTransaction, 'insert'>,
  row: NewJob,
) {
  const send = row.delay > HORIZON ? row.delay - HORIZON : row.delay + PATIENCE
  return (
    db
      .insert(jobs)
      .values({
        id: row.id,
        type: row.type,
        version: row.version,
        input: row.input,
        key: row.key ?? null,
        state: 'pending',
        runAt: inMs(row.delay * 1000),
        maxAttempts: row.maxAttempts,
        leaseMs: row.leaseMs,
        sendAfter: inMs(send * 1000),
        traceparent: row.traceparent ?? null,
      })
      // An update of nothing, so that the earlier job's id comes back in the same round trip.
      .onConflictDoUpdate({
        target: [jobs.type, jobs.key],
        targetWhere: sql`${jobs.key} is not null`,
        set: { key: sql`excluded.key` },
      })
      .returning({ id: jobs.id })
  )
}

/** A claimed job. */
export type Claim = Pick<JobRow, 'id' | 'type' | 'version' | 'input' | 'attempt' | 'maxAttempts'> & {
  readonly token: string
}

/** Takes the lease of a job that is ready; undefined when there is nothing to take. */
export async function claim(db: JobsDatabase, id: string): Promise<Claim | undefined> {
  const token = uuidv7()
  const [row] = await db
    .update(jobs)
    .set({
      state: 'running',
      leaseToken: token,
      leaseUntil: sql`now() + ${jobs.leaseMs} * interval '1 millisecond'`,
      attempt: sql`${jobs.attempt} + 1`,
      startedAt: sql`now()`,
    })
    .where(
      and(
        eq(jobs.id, id),
        sql`${jobs.attempt} < ${jobs.maxAttempts}`,
        // A queue's delay is in whole seconds and may come a moment early.
        sql`(${jobs.state} = 'pending' and ${jobs.runAt} <= now() + interval '1 second'
          or ${jobs.state} = 'running' and ${jobs.leaseUntil} < now())`,
      ),
    )
    .returning({
      id: jobs.id,
      type: jobs.type,
      version: jobs.version,
      input: jobs.input,
      attempt: jobs.attempt,
      maxAttempts: jobs.maxAttempts,
    })
  return row && { ...row, token }
}

/** Why a job could not be claimed. */
export type Unclaimed =
  /** Finished, or no such job: the message has done its duty. */
  | { readonly is: 'over' }
  /** Leased by another, or not to be started yet: come back in so many milliseconds. */
  | { readonly is: 'early'; readonly ms: number }
  /** Its last attempt's lease ran out: whoever had it crashed. */
  | { readonly is: 'crashed' }

/** Looks why. */
export async function whyUnclaimed(db: JobsDatabase, id: string): Promise<Unclaimed> {
  const [row] = await db
    .select({
      state: jobs.state,
      spent: sql<boolean>`${jobs.attempt} >= ${jobs.maxAttempts}`,
      ms: sql<string>`ceil(extract(epoch from (case when ${jobs.state} = 'running' then ${jobs.leaseUntil} else ${jobs.runAt} end) - now()) * 1000)::bigint::text`,
    })
    .from(jobs)
    .where(eq(jobs.id, id))
  if (row?.state !== 'pending' && row?.state !== 'running') return { is: 'over' }
  const ms = Number(row.ms)
  return row.state === 'running' && row.spent && ms < 0
    ? { is: 'crashed' }
    : { is: 'early', ms: Math.max(0, ms) }
}

const held = (claim: Pick<Claim, 'id' | 'token'>) =>
  and(eq(jobs.id, claim.id), eq(jobs.leaseToken, claim.token))

const released = { leaseToken: null, leaseUntil: null }

/** Marks it done, if the lease is still ours. In the handler's transaction, this is what makes the effect happen once. */
export async function finish(db: JobsDatabase | JobsTransaction, claim: Claim): Promise<boolean> {
  const rows = await db
    .update(jobs)
    .set({ state: 'done', ...released, finishedAt: sql`now()`, failure: null, failureDetail: null })
    .where(held(claim))
    .returning({ id: jobs.id })
  return rows.length > 0
}

/** Why an attempt failed, safe to keep. */
export interface Failure {
  readonly failure: string
  readonly failureDetail: string | null
}

/** Puts it back, to be tried again. False when the lease was lost. */
export async function postpone(
  db: JobsDatabase,
  claim: Claim,
  ms: number,
  failure: Failure,
): Promise<boolean> {
  const rows = await db
    .update(jobs)
    .set({
      state: 'pending',
      ...released,
      ...failure,
      runAt: inMs(ms),
      sendAfter: inMs(ms + PATIENCE * 1000),
      sends: 0,
    })
    .where(held(claim))
    .returning({ id: jobs.id })
  return rows.length > 0
}

/** Gives it up. False when the lease was lost. */
export async function bury(db: JobsDatabase, claim: Claim, failure: Failure): Promise<boolean> {
  const rows = await db
    .update(jobs)
    .set({ state: 'dead', ...released, ...failure, finishedAt: sql`now()` })
    .where(held(claim))
    .returning({ id: jobs.id })
  return rows.length > 0
}

/** Gives up jobs whose lease ran out with no attempt left. Returns their ids. */
export function buryCrashed(
  db: JobsDatabase,
  ids?: readonly string[],
): Promise<{ id: string; type: string }[]> {
  return db
    .update(jobs)
    .set({ state: 'dead', ...released, failure: 'crashed', finishedAt: sql`now()` })
    .where(
      and(
        eq(jobs.state, 'running'),
        sql`${jobs.leaseUntil} < now()`,
        sql`${jobs.attempt} >= ${jobs.maxAttempts}`,
        ids && inArray(jobs.id, [...ids]),
      ),
    )
    .returning({ id: jobs.id, type: jobs.type })
}

/** Puts back jobs whose lease ran out, ready to be sent. Returns how many. */
export async function requeueExpired(db: JobsDatabase): Promise<number> {
  const rows = await db
    .update(jobs)
    .set({
      state: 'pending',
      ...released,
      failure: 'crashed',
      runAt: sql`now()`,
      sendAfter: sql`now()`,
      sends: 0,
    })
    .where(
      and(
        eq(jobs.state, 'running'),
        sql`${jobs.leaseUntil} < now()`,
        sql`${jobs.attempt} < ${jobs.maxAttempts}`,
      ),
    )
    .returning({ id: jobs.id })
  return rows.length
}

/** A message that is due. */
export interface Due {
  readonly id: string
  readonly traceparent: string | null
  /** Milliseconds until the job may start. */
  readonly ms: number
}

/**
 * Takes jobs whose message is due, and says when the next one would be: later each time, since what is not started
 * after several messages is waiting in a long queue, not lost. Two relays at once take different jobs.
 */
export async function takeDue(db: JobsDatabase, limit: number): Promise<Due[]> {
  const wait = sql`least(${PATIENCE} * power(4, least(${jobs.sends}, 6)), 21600) * interval '1 second'`
  const rows = await db
    .update(jobs)
    .set({
      sendAfter: sql`greatest(${jobs.runAt}, now()) + ${wait}`,
      sends: sql`${jobs.sends} + 1`,
    })
    .where(
      sql`${jobs.id} in (select id from ${jobs} where state = 'pending' and send_after <= now()
        order by send_after limit ${limit} for update skip locked)`,
    )
    .returning({
      id: jobs.id,
      traceparent: jobs.traceparent,
      ms: sql<string>`greatest(0, ceil(extract(epoch from ${jobs.runAt} - now()) * 1000))::bigint::text`,
    })
  return rows.map((row) => ({ ...row, ms: Number(row.ms) }))
}
