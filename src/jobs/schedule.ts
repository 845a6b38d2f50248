import { sql } from 'drizzle-orm'
import { type Cron, nextTick, offsetAt, parseCron } from './cron.ts'
import { type JobsDatabase, rowsOf } from './database.ts'
import { list } from './ending.ts'
import { type NewJob, ROW_COLUMNS, rowSql } from './insert.ts'
import type { JobRef } from './job.ts'
import { jobSchedules, jobs } from './schema.ts'

/** Options of {@link schedule}. */
export interface ScheduleOptions<In> {
  /** Five fields, such as `0 9 * * mon-fri`, or a nickname such as `@daily`. */
  readonly cron: string
  /** A zone of the IANA database, such as `Europe/Berlin`. Default `UTC`. */
  readonly timeZone?: string
  readonly job: JobRef<In>
  /** What each job is given: a value, or made from the tick's time. */
  readonly input: In | ((tick: Date) => In)
  /**
   * What becomes of ticks that nothing ran at, during an outage: `latest` runs once for all of them, `all` once for
   * each, at most a hundred and none older than two days, `skip` for none that is more than two minutes late. Default
   * `latest`.
   */
  readonly missed?: 'skip' | 'latest' | 'all'
}

/** A job that is made again and again. */
export interface Schedule {
  readonly name: string
  readonly cron: Cron
  readonly timeZone: string
  readonly job: JobRef<never>
  readonly inputAt: (tick: Date) => unknown
  readonly missed: 'skip' | 'latest' | 'all'
}

/**
 * Declares a schedule: at each tick, a job. It starts with the first tick after it was first seen.
 *
 * @param name kept in a row, and in the jobs' keys: letters, digits, `.`, `_`, `-`, at most 100.
 * @throws TypeError at once when an option is wrong.
 */
export function schedule<In>(
  name: string,
  options: ScheduleOptions<NoInfer<In>> & { readonly job: JobRef<In> },
): Schedule {
  if (!/^[\w.-]{1,100}$/.test(name)) throw new TypeError(`"${name}" is no name for a schedule`)
  const { timeZone = 'UTC', missed = 'latest', input } = options
  offsetAt(timeZone, 0)
  return {
    name,
    cron: parseCron(options.cron),
    timeZone,
    job: options.job as JobRef<never>,
    inputAt: (tick) => (typeof input === 'function' ? (input as (tick: Date) => In)(tick) : input),
    missed,
  }
}

const LATE = 120_000
const OLDEST = 2 * 86_400_000
const MOST = 100

/** The ticks that are to become jobs, oldest first, and the last one that has been. */
export function dueTicks(
  schedule: Pick<Schedule, 'cron' | 'timeZone' | 'missed'>,
  last: number,
  now: number,
): { readonly ticks: readonly number[]; readonly last: number } {
  const ticks: number[] = []
  let at = Math.max(last, now - OLDEST)
  let seen = last
  for (;;) {
    const next = nextTick(schedule.cron, schedule.timeZone, at)
    if (next === undefined || next > now) break
    ticks.push(next)
    at = next
    seen = next
  }
  const wanted =
    schedule.missed === 'all'
      ? ticks.slice(-MOST)
      : schedule.missed === 'latest'
        ? ticks.slice(-1)
        : ticks.filter((tick) => tick > now - LATE)
  return { ticks: wanted, last: seen }
}

/** The last tick of each schedule by name, and the database's clock, in epoch milliseconds. */
export async function readSchedules(
  db: JobsDatabase,
  names: readonly string[],
): Promise<{ readonly now: number; readonly last: ReadonlyMap<string, number> }> {
  const read = async (): Promise<{ name: string | null; last: string | null; now: string }[]> =>
    rowsOf(
      await db.execute(sql`select s.name, (extract(epoch from s.last_tick) * 1000)::bigint::text as last,
          (extract(epoch from now()) * 1000)::bigint::text as now
        from (select 1) as one left join ${jobSchedules} as s on s.name in ${list(names)}`),
    )
  let rows = await read()
  const missing = names.filter((name) => !rows.some((row) => row.name === name))
  if (missing.length > 0) {
    const values = sql.join(
      missing.map((name) => sql`(${name}::text, now())`),
      sql`, `,
    )
    await db.execute(
      sql`insert into ${jobSchedules} (name, last_tick) values ${values} on conflict do nothing`,
    )
    rows = await read()
  }
  return {
    now: Number(rows[0]?.now),
    last: new Map(rows.flatMap(({ name, last }) => (name === null ? [] : [[name, Number(last)] as const]))),
  }
}

/**
 * Makes the jobs of a schedule's ticks and moves it on, in one statement: of two that try, one does; after a crash,
 * both or neither has happened. Returns the jobs that were made.
 */
export async function makeTicks(
  db: JobsDatabase,
  name: string,
  from: number,
  to: number,
  rows: readonly NewJob[],
): Promise<ReadonlySet<string>> {
  const at = (ms: number) => sql`to_timestamp(${ms / 1000}::double precision)`
  const moved = sql`update ${jobSchedules} set last_tick = ${at(to)}
    where name = ${name} and (extract(epoch from last_tick) * 1000)::bigint = ${from}::bigint returning name`
  if (rows.length === 0) {
    await db.execute(moved)
    return new Set()
  }
  const made = rowsOf<{ id: string }>(
    await db.execute(sql`with moved as (${moved})
      insert into ${jobs} (${ROW_COLUMNS}) select ${ROW_COLUMNS} from (values ${sql.join(
        rows.map(rowSql),
        sql`, `,
      )}) as v (${ROW_COLUMNS}) where exists (select from moved)
      on conflict do nothing returning id::text as id`),
  )
  return new Set(made.map(({ id }) => id))
}
