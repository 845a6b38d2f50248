import { sql } from 'drizzle-orm'
import { type JobsDatabase, rowsOf } from './database.ts'
import { jobLanes } from './schema.ts'

/** How many jobs under one key run at once, and how many start within a time. */
export interface Limit {
  readonly concurrency: number | undefined
  /** Milliseconds between two starts when they come evenly; `burst` of them may come at once. */
  readonly interval: number | undefined
  readonly burst: number
}

/**
 * Lets a job into its lane, or says how many milliseconds to wait. One statement: the row's lock orders all who want
 * in. A place is free again when its holder leaves, or its lease is over.
 */
export async function enterLane(
  db: JobsDatabase,
  lane: string,
  id: string,
  leaseMs: number,
  { concurrency, interval, burst }: Limit,
): Promise<number | undefined> {
  const step = sql`${interval ?? 0}::double precision * interval '1 millisecond'`
  const now = sql`extract(epoch from now())`
  const alive = sql`(select coalesce(jsonb_object_agg(h.key, h.value), '{}'::jsonb) from jsonb_each(l.holders) h
    where h.value::float8 > ${now} and h.key <> ${id}::text)`
  const self = sql`jsonb_build_object(${id}::text, ${now} + ${leaseMs / 1000}::float8)`
  const entered = rowsOf<object>(
    await db.execute(sql`insert into ${jobLanes} as l (lane, holders, arrival, touched_at)
      values (${lane}, ${self}, now() + ${step}, now())
      on conflict (lane) do update set holders = ${alive} || ${self},
        arrival = greatest(l.arrival, now()) + ${step}, touched_at = now()
      where (${concurrency === undefined} or
          (select count(*) from jsonb_each(${alive})) < ${concurrency ?? 0}::int)
        and (${interval === undefined} or greatest(l.arrival, now()) + ${step} <= now() + ${step} * ${burst}::float8)
      returning lane`),
  )
  if (entered.length > 0) return undefined
  const [row] = rowsOf<{ ms: string }>(
    await db.execute(
      sql`select ceil(extract(epoch from arrival + ${step} - now() - ${step} * ${burst}::float8) * 1000)::text as ms
        from ${jobLanes} where lane = ${lane}`,
    ),
  )
  return Math.max(1000, interval === undefined ? 0 : Number(row?.ms ?? 0))
}

/** Leaves it. */
export async function leaveLane(db: JobsDatabase, lane: string, id: string): Promise<void> {
  await db.execute(sql`update ${jobLanes} set holders = holders - ${id}::text where lane = ${lane}`)
}
