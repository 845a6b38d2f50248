import { and, eq, inArray, type SQL, sql } from 'drizzle-orm'
import { uuidv7 } from '../core/index.ts'
import { arrayOf, type JobsDatabase, type JobsTransaction, rowsOf } from './database.ts'
import { inMs, PATIENCE } from './insert.ts'
import { type JobRow, jobs } from './schema.ts'

/** A claimed job. */
export type Claim = Pick<
  JobRow,
  'id' | 'type' | 'version' | 'input' | 'inputObject' | 'attempt' | 'maxAttempts' | 'priority' | 'steps'
> & {
  readonly token: string
  readonly traceparent: string | null
  /** Whether it belongs to a batch, which counts it when it ends. */
  readonly batched: boolean
}

/** The columns of a claim. */
export const claimed: Pick<
  typeof jobs,
  | 'id'
  | 'type'
  | 'version'
  | 'input'
  | 'inputObject'
  | 'attempt'
  | 'maxAttempts'
  | 'priority'
  | 'steps'
  | 'traceparent'
  | 'batchId'
> = {
  id: jobs.id,
  type: jobs.type,
  version: jobs.version,
  input: jobs.input,
  inputObject: jobs.inputObject,
  attempt: jobs.attempt,
  maxAttempts: jobs.maxAttempts,
  priority: jobs.priority,
  steps: jobs.steps,
  traceparent: jobs.traceparent,
  batchId: jobs.batchId,
}

/**
 * Takes the leases of jobs that are ready, in one statement, whose answer is one value: to read a hundred rows column
 * by column takes longer than to claim them. The most urgent first, and of those the oldest.
 * @param suspects Whether to take also a job that has crashed a worker. Only alone: it must not take others with it.
 */
export async function claim(db: JobsDatabase, ids: readonly string[], suspects: boolean): Promise<Claim[]> {
  const token = uuidv7()
  // A debounced job that has started is in nobody's way any more.
  // A queue's delay is in whole seconds and may come a moment early.
  const ready = sql`state = 'pending' and run_at <= now() + interval '1 second'`
  const which = suspects
    ? sql`${ready} or state = 'running' and lease_until < now()`
    : sql`${ready} and failure is distinct from 'crashed'`
  const [found] = rowsOf<{ claims: string | null }>(
    // "is true" keeps the planner to the primary key: while its statistics say that hardly any job waits, it
    // would read all that do instead.
    await db.execute(sql`with claimed as (update ${jobs} set state = 'running', lease_token = ${token}::uuid,
        lease_until = now() + lease_ms * interval '1 millisecond', attempt = attempt + 1, started_at = now(),
        debounce = null
      where id = any(${arrayOf(ids)}::uuid[]) and (attempt < max_attempts and (${which})) is true
      returning id, type, version, input, input_object as "inputObject", attempt, max_attempts as "maxAttempts",
        priority, steps, traceparent, lease_token as token, batch_id is not null as batched)
      select json_agg(claimed order by priority desc, id)::text as claims from claimed`),
  )
  return JSON.parse(found?.claims ?? '[]') as Claim[]
}

/** Why a job could not be claimed. */
export type Unclaimed =
  /** Finished, or no such job: the message has done its duty. */
  | { readonly is: 'over' }
  /** Leased by another, or not to be started yet: come back in so many milliseconds. */
  | { readonly is: 'early'; readonly ms: number }
  /** It has crashed a worker: to be tried alone. */
  | { readonly is: 'suspect' }
  /** Its last attempt's lease ran out: whoever had it crashed. */
  | { readonly is: 'crashed' }

/** Looks why. */
export async function whyUnclaimed(
  db: JobsDatabase,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Unclaimed>> {
  const rows = await db
    .select({
      id: jobs.id,
      state: jobs.state,
      failure: jobs.failure,
      spent: sql<boolean>`${jobs.attempt} >= ${jobs.maxAttempts}`,
      ms: sql<string>`ceil(least(1e12, extract(epoch from (case when ${jobs.state} = 'running' then ${jobs.leaseUntil} else ${jobs.runAt} end) - now()) * 1000))::bigint::text`,
    })
    .from(jobs)
    .where(inArray(jobs.id, [...ids]))
  return new Map(
    rows.map((row): [string, Unclaimed] => {
      if (row.state !== 'pending' && row.state !== 'running') return [row.id, { is: 'over' }]
      const ms = Number(row.ms)
      if (row.state === 'running' && ms < 0) return [row.id, { is: row.spent ? 'crashed' : 'suspect' }]
      if (row.state === 'pending' && ms <= 1000 && row.failure === 'crashed')
        return [row.id, { is: 'suspect' }]
      // One that waits for a batch starts by a message of the batch's end.
      if (ms >= 1e12) return [row.id, { is: 'over' }]
      return [row.id, { is: 'early', ms: Math.max(0, ms) }]
    }),
  )
}

const held = (claim: Pick<Claim, 'id' | 'token'>): SQL | undefined =>
  and(eq(jobs.id, claim.id), eq(jobs.leaseToken, claim.token))

/** What a row no longer holds when nobody works on it. */
const released = { leaseToken: null, leaseUntil: null } as const

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
  failure: Failure | undefined,
): Promise<boolean> {
  const rows = await db
    .update(jobs)
    .set({
      state: 'pending',
      ...released,
      // No failure: it never began, and this was no attempt.
      ...(failure ?? { attempt: sql`${jobs.attempt} - 1` }),
      runAt: inMs(ms),
      sendAfter: inMs(ms + PATIENCE * 1000),
      sends: 0,
    })
    .where(held(claim))
    .returning({ id: jobs.id })
  return rows.length > 0
}

/** Remembers what a step returned. False when the lease was lost. */
export async function saveStep(
  db: JobsDatabase,
  claim: Claim,
  name: string,
  result: unknown,
): Promise<boolean> {
  const rows = await db
    .update(jobs)
    .set({
      steps: sql`coalesce(${jobs.steps}, '{}'::jsonb) || jsonb_build_object(${name}::text, ${JSON.stringify(result)}::jsonb)`,
    })
    .where(held(claim))
    .returning({ id: jobs.id })
  return rows.length > 0
}

/** Writes down how far it is. False when the lease was lost. */
export async function saveProgress(db: JobsDatabase, claim: Claim, progress: unknown): Promise<boolean> {
  const rows = await db.update(jobs).set({ progress }).where(held(claim)).returning({ id: jobs.id })
  return rows.length > 0
}

/**
 * Which claims still hold; the leases of those that have not begun start anew.
 * A job that was cancelled, or that somebody else has, is not among them.
 */
export async function heartbeat(
  db: JobsDatabase | JobsTransaction,
  claims: readonly Pick<Claim, 'id' | 'token'>[],
  waiting: readonly string[],
): Promise<ReadonlySet<string>> {
  const waits = waiting.length > 0 ? inArray(jobs.id, [...waiting]) : sql`false`
  const rows = await db
    .update(jobs)
    .set({
      leaseUntil: sql`case when ${waits} then now() + ${jobs.leaseMs} * interval '1 millisecond' else ${jobs.leaseUntil} end`,
    })
    .where(
      and(
        inArray(
          jobs.id,
          claims.map(({ id }) => id),
        ),
        inArray(jobs.leaseToken, [...new Set(claims.map(({ token }) => token))]),
      ),
    )
    .returning({ id: jobs.id })
  return new Set(rows.map(({ id }) => id))
}
