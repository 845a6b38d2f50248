import { type SQL, sql } from 'drizzle-orm'
import { arrayOf, type JobsDatabase, type JobsTransaction, rowsOf } from './database.ts'
import type { Claim, Failure } from './lease.ts'
import { jobs } from './schema.ts'

/** A job that has ended, or one that waited for it and may start now. */
export interface Ended {
  readonly id: string
  readonly type: string
  readonly traceparent: string | null
}

/** What an ending did. */
export interface Ending {
  readonly ended: readonly Ended[]
  /** Jobs that waited for the last of their batch: their messages are to be sent. */
  readonly ready: readonly Ended[]
}

/** A list of values in SQL, for `in (…)`. */
export const list = (values: readonly unknown[]): SQL =>
  sql`(${sql.join(
    values.map((v) => sql`${v}`),
    sql`, `,
  )})`

/**
 * The common table expressions `ended` and `ready`: ends jobs, and counts each down once in the batch that waits for
 * it, in the same statement, so that no crash comes in between.
 * @param which condition on the table `jobs`.
 * @param set assignments beside those of every ending.
 */
export function endingCtes(which: SQL, set: SQL, limit?: number): SQL {
  return sql`
    picked as (select id, batch_id, batch_open, lease_token from ${jobs} as jobs where ${which}
      ${limit === undefined ? sql`order by id for update` : sql`order by lease_until limit ${limit} for update skip locked`}),
    ended as (update ${jobs} as j set ${set}, lease_token = null, lease_until = null, finished_at = now(), batch_open = false
      from picked where j.id = picked.id and j.lease_token is not distinct from picked.lease_token
      returning j.id, j.type, j.traceparent, case when picked.batch_open then picked.batch_id end as batch),
    counts as (select batch, count(*)::int as n from ended where batch is not null group by batch),
    parents as (select id from ${jobs} where id in (select batch from counts) and waits_for > 0 order by id for update),
    counted as (update ${jobs} as p set waits_for = p.waits_for - counts.n,
        run_at = case when p.waits_for <= counts.n then now() else p.run_at end,
        send_after = case when p.waits_for <= counts.n then now() + interval '1 minute' else p.send_after end
      from counts join parents on parents.id = counts.batch where p.id = parents.id
      returning p.id, p.type, p.traceparent, p.waits_for, p.state),
    ready as (select id, type, traceparent from counted where waits_for <= 0 and state = 'pending')`
}

async function end(db: JobsDatabase | JobsTransaction, which: SQL, set: SQL): Promise<Ending> {
  const [row] = rowsOf<{ ended: string | null; ready: string | null }>(
    await db.execute(sql`with ${endingCtes(which, set)}
      select (select json_agg(e) from (select id, type, traceparent from ended) e)::text as ended,
        (select json_agg(r order by id) from ready r)::text as ready`),
  )
  return {
    ended: JSON.parse(row?.ended ?? '[]') as Ended[],
    ready: JSON.parse(row?.ready ?? '[]') as Ended[],
  }
}

/** A lease, and whether others may wait for its job. */
export type Held = Pick<Claim, 'id' | 'token' | 'batched'>

/** Jobs by their ids and their leases. */
function mine(claims: readonly Held[]): SQL {
  const tokens = [...new Set(claims.map(({ token }) => token))]
  return sql`id = any(${arrayOf(claims.map(({ id }) => id))}::uuid[]) and lease_token = any(${arrayOf(tokens)}::uuid[])`
}

/** What {@link finish} did. */
export interface Finished {
  /** Ids of those that are done. */
  readonly done: ReadonlySet<string>
  readonly ready: readonly Ended[]
}

/**
 * Marks jobs done whose leases are still ours. In the handler's transaction, this is what makes the effect happen
 * once.
 */
export async function finish(db: JobsDatabase | JobsTransaction, claims: readonly Held[]): Promise<Finished> {
  const set = sql`state = 'done', failure = null, failure_detail = null`
  if (claims.some(({ batched }) => batched)) {
    const { ended, ready } = await end(db, mine(claims), set)
    return { done: new Set(ended.map(({ id }) => id)), ready }
  }
  // Nobody waits for any of them, as for most: half the work.
  const rows = rowsOf<{ id: string }>(
    await db.execute(sql`update ${jobs} set ${set}, lease_token = null, lease_until = null, finished_at = now()
      where ${mine(claims)} returning id::text as id`),
  )
  return { done: new Set(rows.map(({ id }) => id)), ready: [] }
}

/** Gives a job up, if its lease is still ours. */
export function bury(db: JobsDatabase, claim: Claim, { failure, failureDetail }: Failure): Promise<Ending> {
  return end(db, mine([claim]), sql`state = 'dead', failure = ${failure}, failure_detail = ${failureDetail}`)
}

/** Jobs whose lease ran out with no attempt left. */
export const CRASHED: SQL = sql`state = 'running' and lease_until < now() and attempt >= max_attempts`

/** What is written into them. */
export const AS_CRASHED: SQL = sql`state = 'dead', failure = 'crashed', failure_detail = null`

/** Gives up those of these jobs whose lease ran out with no attempt left. */
export function buryCrashed(db: JobsDatabase, ids: readonly string[]): Promise<Ending> {
  return end(db, sql`${CRASHED} and id in ${list(ids)}`, AS_CRASHED)
}

/**
 * Cancels jobs, running ones too: what they did in their transaction will be rolled back by the fence. By type, it finds
 * them through the small indexes of either state, which a list of states would not use.
 */
export function cancelJobs(db: JobsDatabase, which: SQL): Promise<Ending> {
  return end(db, sql`(state = 'pending' or state = 'running') and ${which}`, sql`state = 'cancelled'`)
}

/** Gives up dead jobs for good. */
export function discardJobs(db: JobsDatabase, which: SQL): Promise<Ending> {
  return end(db, sql`state = 'dead' and ${which}`, sql`state = 'discarded'`)
}
