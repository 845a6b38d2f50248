import { type SQL, sql } from 'drizzle-orm'
import { type Duration, milliseconds, type Reporter } from '../core/index.ts'
import { type AnyDatabase, fingerprint, isPostgresError } from '../db/index.ts'
import { type Finding, finding } from './finding.ts'

/** Options of {@link createQueryHistory}. */
export interface QueryHistoryOptions {
  /** Its role must see the statements of others: `grant pg_read_all_stats to …` where it is not the owner. */
  readonly db: Pick<AnyDatabase, 'execute'>
  /** Who is told by {@link QueryHistory.report}. Default: nobody. */
  readonly reporter?: Pick<Reporter, 'captureMessage'>
  /** Least time between two looks: called more often, `snapshot` does nothing. Default 10 minutes. */
  readonly every?: Duration
  /** How long rows are kept. Default 35 days. */
  readonly keep?: Duration
}

/** A history of what Postgres counts. */
export interface QueryHistory {
  /**
   * Adds what has happened since the last time to the hour's row of each of the 200 statements that cost most, and of
   * the 200 largest tables. One round trip; for a cron. Gives the number of rows, 0 when it
   * was not due, or undefined where `pg_stat_statements` is not to be had.
   */
  snapshot(): Promise<number | undefined>
  /** What got slower than a week ago, and which growing tables are read from end to end. */
  findings(): Promise<Finding[]>
  /** {@link QueryHistory.findings}, told to the reporter. For a daily cron. */
  report(): Promise<Finding[]>
}

const seconds = (ms: number): SQL => sql`make_interval(secs => ${ms / 1000}::float8)`

// How many statements, and tables, one look writes down: those that cost most, those that are largest. With a row an
// hour for each, what is kept and what a report reads is bounded, whatever the application does.
const MOST = 200

function snapshotSql(every: number, keep: number): SQL {
  // Counters that went back were reset: all that they hold is new.
  const since = (now: string, before: string): SQL =>
    sql.raw(
      `case when b.key is null then 0 when s.calls < b.calls_so_far then s.${now} else s.${now} - b.${before} end`,
    )
  const oldest = (kind: string): SQL =>
    sql`array(select ctid from breakwater.query_history where kind = ${kind} and taken_at < now() - ${seconds(keep)}
      and exists (select from due) order by taken_at limit 500)`
  return sql`with due as (
      select 1 where not exists (select from breakwater.query_history
        where kind in ('statement', 'table') and taken_at >= date_trunc('hour', now() - ${seconds(every)})
          and seen_at > now() - ${seconds(every)})
    ), old as (
      delete from breakwater.query_history where ctid = any(${oldest('statement')} || ${oldest('table')})
    ), seen as (
      (select 'statement' as kind, queryid::text as key, left(min(query), 1000) as text, sum(calls)::bigint as calls,
        sum(total_exec_time) as ms, sum(rows)::bigint as rows, null::bigint as live
      from pg_stat_statements
      where dbid = (select oid from pg_database where datname = current_database()) and queryid is not null
        and query ~* '^\\s*(select|insert|update|delete|merge|with)\\y' and query !~ 'query_history'
      group by queryid order by ms desc limit ${MOST})
      union all
      (select 'table', relid::regclass::text, null, seq_scan, 0, seq_tup_read, n_live_tup from pg_stat_user_tables
      where schemaname <> 'drizzle' order by n_live_tup desc limit ${MOST})
    )
    insert into breakwater.query_history as h
      (kind, key, taken_at, text, calls, milliseconds, rows, calls_so_far, milliseconds_so_far, rows_so_far, seen_at)
    select s.kind, s.key, date_trunc('hour', now()), s.text, ${since('calls', 'calls_so_far')},
      ${since('ms', 'milliseconds_so_far')}, coalesce(s.live, ${since('rows', 'rows_so_far')}), s.calls, s.ms, s.rows, now()
    from seen s left join lateral (
      select h.* from breakwater.query_history h where h.kind = s.kind and h.key = s.key order by h.taken_at desc limit 1
    ) b on true
    where exists (select from due)
      and (b.key is null or s.calls <> b.calls_so_far or s.kind = 'table' and s.live <> b.rows)
    on conflict (kind, key, taken_at) do update set text = excluded.text, calls = h.calls + excluded.calls,
      milliseconds = h.milliseconds + excluded.milliseconds,
      rows = case when h.kind = 'table' then excluded.rows else h.rows + excluded.rows end,
      calls_so_far = excluded.calls_so_far, milliseconds_so_far = excluded.milliseconds_so_far,
      rows_so_far = excluded.rows_so_far, seen_at = excluded.seen_at
    returning 1`
}

const SLOWER = sql`with days as (
    select key, max(text) as text,
      sum(calls) filter (where taken_at > now() - interval '1 day') as calls,
      sum(milliseconds) filter (where taken_at > now() - interval '1 day') as ms,
      sum(calls) filter (where taken_at <= now() - interval '6 days') as old_calls,
      sum(milliseconds) filter (where taken_at <= now() - interval '6 days') as old_ms
    from breakwater.query_history
    where kind = 'statement' and (taken_at > now() - interval '1 day'
      or taken_at > now() - interval '8 days' and taken_at <= now() - interval '6 days')
    group by key)
  select key, text, round((ms / calls)::numeric, 1)::float8 as now, round((old_ms / old_calls)::numeric, 1)::float8 as then
  from days where calls >= 50 and old_calls >= 50 and ms / calls > 10 and ms / calls > 2 * old_ms / old_calls
  order by ms desc limit 10`

const GROWING = sql`with days as (
    select key, sum(calls) filter (where taken_at > now() - interval '1 day') as scans, max(rows) as rows, min(rows) as fewest
    from breakwater.query_history where kind = 'table' and taken_at > now() - interval '8 days' group by key)
  select key, scans::int as scans, rows::float8 as rows from days
  where scans >= 10 and rows >= 10000 and rows > fewest * 1.05 order by scans * rows desc limit 10`

/** What Postgres says where the view, or the right to it, is missing. */
const NOT_TO_BE_HAD = new Set(['42P01', '42501', '55000'])

/**
 * Keeps what Postgres counts only until it restarts, which on Neon is whenever it suspends: deltas of
 * `pg_stat_statements` and of sequential scans, in a table of the SDK.
 *
 * @throws TypeError when an option is wrong
 */
export function createQueryHistory(options: QueryHistoryOptions): QueryHistory {
  const { db, reporter } = options
  const every = milliseconds(options.every ?? '10 m')
  const keep = milliseconds(options.keep ?? '35 d')
  if (keep < 8 * 86_400_000) throw new TypeError('keep must be 8 days at least, to compare with last week')
  const statement = snapshotSql(every, keep)

  async function findings(): Promise<Finding[]> {
    const [slower, growing] = [await db.execute(SLOWER), await db.execute(GROWING)]
    return [
      ...slower.rows.map((row) =>
        finding(
          'DB-30',
          'warn',
          `${row['now']} ms, was ${row['then']}: ${fingerprint(String(row['text'])).slice(0, 45)}`,
          `select taken_at, calls, milliseconds / nullif(calls, 0) as mean from breakwater.query_history where kind = 'statement' and key = '${row['key']}' order by taken_at;`,
        ),
      ),
      ...growing.rows.map((row) =>
        finding(
          'DB-31',
          'warn',
          `${row['key']} grows, and was read from end to end ${row['scans']} times`,
          `select query, calls from pg_stat_statements where query ilike '%${String(row['key']).split('.').at(-1)}%' order by total_exec_time desc;`,
        ),
      ),
    ]
  }

  return {
    findings,
    async snapshot() {
      try {
        return (await db.execute(statement)).rows.length
      } catch (error) {
        if (isPostgresError(error) && NOT_TO_BE_HAD.has(error.sqlState ?? '')) return undefined
        throw error
      }
    },
    async report() {
      const found = await findings()
      for (const { id, message, hint } of found) {
        reporter?.captureMessage(message, {
          level: 'warning',
          mechanism: 'db',
          tags: { check: id },
          extra: { hint },
          fingerprint: [id, message.replaceAll(/\d+/g, '#')],
        })
      }
      return found
    },
  }
}
