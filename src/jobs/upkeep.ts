import { sql } from 'drizzle-orm'
import { type JobsDatabase, rowsOf } from './database.ts'
import { AS_CRASHED, CRASHED, type Ended, endingCtes } from './ending.ts'
import { PATIENCE } from './insert.ts'
import { jobLanes, jobs } from './schema.ts'

/** How many rows of each kind one sweep touches. */
const BITE = 1000

/** What a sweep found. */
export interface Swept {
  readonly requeued: number
  readonly crashed: readonly Ended[]
  readonly ready: readonly Ended[]
  /** How many rows went, and the objects that went with them. */
  readonly pruned: number
  readonly objects: readonly string[]
}

/**
 * One statement: puts back jobs whose lease ran out, gives up those with no attempt left, deletes what has been over
 * for longer than it is kept. Bounded, and skips what another sweep has in hand. Rows are found through arrays: of a
 * list the planner may think that to read the whole table is cheaper.
 */
export async function sweepJobs(db: JobsDatabase, keepMs: { done: number; dead: number }): Promise<Swept> {
  const before = (ms: number) => sql`now() - ${ms}::double precision * interval '1 millisecond'`
  const rows = rowsOf<Ended & { what: string; object: string | null }>(
    await db.execute(sql`with ${endingCtes(CRASHED, AS_CRASHED, BITE)},
      requeued as (update ${jobs} set state = 'pending', lease_token = null, lease_until = null, failure = 'crashed',
          run_at = now(), send_after = now(), sends = 0
        where id = any(array(select id from ${jobs} where state = 'running' and lease_until < now()
          and attempt < max_attempts order by lease_until limit ${BITE} for update skip locked))
        returning id, type),
      pruned as (delete from ${jobs} where id = any(
          array(select id from ${jobs} where state in ('done', 'cancelled', 'discarded')
            and finished_at < ${before(keepMs.done)} order by finished_at limit ${BITE} for update skip locked)
          || array(select id from ${jobs} where state = 'dead'
            and finished_at < ${before(keepMs.dead)} order by finished_at limit ${BITE} for update skip locked))
        returning id, type, input_object),
      lanes as (delete from ${jobLanes} where lane = any(array(select lane from ${jobLanes}
          where touched_at < now() - interval '1 day' and arrival < now()
          order by touched_at limit ${BITE} for update skip locked)))
      select 'requeued' as what, id::text as id, type, null as traceparent, null as object from requeued
      union all select 'crashed', id::text, type, traceparent, null from ended
      union all select 'ready', id::text, type, traceparent, null from ready
      union all select 'pruned', id::text, type, null, input_object from pruned`),
  )
  const of = (what: string) => rows.filter((row) => row.what === what)
  return {
    requeued: of('requeued').length,
    crashed: of('crashed'),
    ready: of('ready'),
    pruned: of('pruned').length,
    objects: of('pruned').flatMap(({ object }) => object ?? []),
  }
}

/** A message that is due. */
export interface Due {
  readonly id: string
  readonly traceparent: string | null
  readonly priority: number
  /** Milliseconds until the job may start. */
  readonly ms: number
}

/**
 * Takes jobs whose message is due, the most urgent first, and says when the next one would be: later each time, since
 * what is not started after several messages is waiting in a long queue, not lost. Two relays at once take different
 * jobs.
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
      // Among the thousand that have waited longest: the index is walked in order, however many wait.
      sql`${jobs.id} in (select id from ${jobs} where state = 'pending' and send_after <= now() and id in
          (select id from ${jobs} where state = 'pending' and send_after <= now() order by send_after limit 1000)
        order by priority desc, send_after limit ${limit} for update skip locked)`,
    )
    .returning({
      id: jobs.id,
      traceparent: jobs.traceparent,
      priority: jobs.priority,
      ms: sql<string>`greatest(0, ceil(extract(epoch from ${jobs.runAt} - now()) * 1000))::bigint::text`,
    })
  return rows
    .map((row) => ({ ...row, ms: Number(row.ms) }))
    .sort((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1))
}
