import { finding } from '../finding.ts'
import { byQuery, type LiveCheck, t } from './check.ts'

const OTHERS = `pid <> pg_backend_pid() and datname = current_database() and backend_type = 'client backend'`

const LIMITS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'] as const
const VALUES: Readonly<Record<string, string>> = {
  statement_timeout: '15s',
  lock_timeout: '5s',
  idle_in_transaction_session_timeout: '30s',
}

/** Connections, locks, limits and the role. */
export const sessionChecks: readonly LiveCheck[] = [
  byQuery(
    'DB-17',
    'error',
    'Connections are far from their limit',
    `select count(*) as used, current_setting('max_connections')::int as most from pg_stat_activity
     where backend_type = 'client backend' having count(*) > 0.8 * current_setting('max_connections')::int`,
    (row) => `${row['used']} of ${row['most']} connections are taken`,
    () =>
      'select application_name, usename, state, count(*) from pg_stat_activity group by 1, 2, 3 order by 4 desc;',
  ),
  byQuery(
    'DB-18',
    'warn',
    'No session sits idle in a transaction',
    `select pid, extract(epoch from now() - state_change)::int as seconds from pg_stat_activity
     where ${OTHERS} and state like 'idle in transaction%' and state_change < now() - interval '30 seconds'`,
    (row) => `Session ${row['pid']} idles in a transaction for ${row['seconds']} s`,
    (row) => `select pg_terminate_backend(${row['pid']});`,
  ),
  byQuery(
    'DB-19',
    'warn',
    'No statement runs for longer than a minute',
    `select pid, extract(epoch from now() - query_start)::int as seconds from pg_stat_activity
     where ${OTHERS} and state = 'active' and query_start < now() - interval '1 minute'`,
    (row) => `Session ${row['pid']} runs one statement for ${row['seconds']} s`,
    (row) => `select pg_cancel_backend(${row['pid']});`,
  ),
  byQuery(
    'DB-20',
    'warn',
    'Nobody waits for a lock',
    `select pid, (pg_blocking_pids(pid))[1] as by, extract(epoch from now() - query_start)::int as seconds
     from pg_stat_activity where ${OTHERS} and cardinality(pg_blocking_pids(pid)) > 0
       and query_start < now() - interval '1 second'`,
    (row) => `Session ${row['pid']} waits ${row['seconds']} s for a lock of ${row['by']}`,
    (row) => `select pg_cancel_backend(${row['by']});`,
  ),
  {
    id: 'DB-21',
    level: 'warn',
    title: 'The role has limits for statements, locks and idle transactions',
    async run(sql) {
      const rows = await sql(
        `select name, reset_val as setting, quote_ident(current_user) as role from pg_settings where name in (${LIMITS.map((name) => `'${name}'`).join(', ')})`,
      )
      return rows
        .filter((row) => row['setting'] === '0')
        .map((row) =>
          finding(
            'DB-21',
            'warn',
            `${row['name']} is not set for ${row['role']}`,
            `alter role ${row['role']} set ${row['name']} = '${VALUES[String(row['name'])]}';`,
          ),
        )
    },
  },
  byQuery(
    'DB-24',
    'error',
    'The role of the application is neither superuser nor owner of its tables',
    `select quote_ident(rolname) as t, rolsuper as super,
       (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relowner = r.oid and c.relkind in ('r', 'p') and nspname not in ('pg_catalog', 'information_schema')) as owned
     from pg_roles r where rolname = current_user
       and (rolsuper or exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relowner = r.oid and c.relkind in ('r', 'p') and nspname not in ('pg_catalog', 'information_schema')))`,
    (row) =>
      row['super'] ? `${t(row)} is a superuser` : `${t(row)} owns ${row['owned']} tables: it may drop them`,
    () =>
      "create role app login password '…'; grant usage on schema breakwater to app; grant select, insert, update, delete on all tables in schema breakwater to app;",
  ),
]
