import { byQuery, type LiveCheck, NOT_SYSTEM, t } from './check.ts'

const TABLE = `c.oid::regclass::text as t`
const OLD_STATISTICS = `coalesce((select stats_reset from pg_stat_database where datname = current_database()),
  pg_postmaster_start_time()) < now() - interval '14 days'`

/** Tables and indexes: what is missing, broken, or never used. */
export const tableChecks: readonly LiveCheck[] = [
  byQuery(
    'DB-4',
    'info',
    'Every index of some size is used',
    `select s.indexrelid::regclass::text as t, pg_size_pretty(pg_relation_size(s.indexrelid)) as size
     from pg_stat_user_indexes s join pg_index i using (indexrelid)
     where s.idx_scan = 0 and not i.indisunique and pg_relation_size(s.indexrelid) > 1048576 and ${OLD_STATISTICS}`,
    (row) => `${t(row)} (${row['size']}) was not used for two weeks`,
    (row) => `drop index concurrently ${t(row)}; -- unless a replica uses it`,
  ),
  byQuery(
    'DB-5',
    'warn',
    'No big table is read from end to end again and again',
    `select relid::regclass::text as t, seq_scan as scans, n_live_tup as rows from pg_stat_user_tables
     where n_live_tup >= 10000 and seq_scan > 20 and seq_tup_read > 10 * n_live_tup
       and seq_scan > coalesce(idx_scan, 0) / 100 and schemaname <> 'drizzle'
     order by seq_tup_read desc limit 10`,
    (row) => `${t(row)} was read from end to end ${row['scans']} times`,
    (row) =>
      `select query, calls from pg_stat_statements where query ilike '%${t(row).split('.').at(-1)?.replaceAll("'", "''")}%' order by total_exec_time desc;`,
  ),
  byQuery(
    'DB-9',
    'error',
    'Every index is valid',
    `select i.indexrelid::regclass::text as t from pg_index i join pg_class c on c.oid = i.indexrelid
     join pg_namespace n on n.oid = c.relnamespace where not i.indisvalid and ${NOT_SYSTEM}
       and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)`,
    (row) => `${t(row)} is invalid: its building was cut short`,
    (row) => `reindex index concurrently ${t(row)};`,
  ),
  byQuery(
    'DB-10',
    'warn',
    'Every constraint is validated',
    `select c.oid::regclass::text as t, quote_ident(k.conname) as name from pg_constraint k
     join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
     where not k.convalidated and ${NOT_SYSTEM}`,
    (row) => `${row['name']} on ${t(row)} is not validated: old rows may break it`,
    (row) => `alter table ${t(row)} validate constraint ${row['name']};`,
  ),
  byQuery(
    'DB-11',
    'error',
    'No sequence is past nine tenths of what its column can hold',
    `select s.oid::regclass::text as t, c.oid::regclass::text as owner, quote_ident(a.attname) as name,
       round(100.0 * pg_sequence_last_value(s.oid) / least(p.seqmax,
         case a.atttypid when 'int2'::regtype then 32767 when 'int4'::regtype then 2147483647 else 9223372036854775807 end)) as percent
     from pg_class s join pg_sequence p on p.seqrelid = s.oid
     join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i') and d.refobjsubid > 0
     join pg_class c on c.oid = d.refobjid join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
     where pg_sequence_last_value(s.oid) > 0.9 * least(p.seqmax,
       case a.atttypid when 'int2'::regtype then 32767 when 'int4'::regtype then 2147483647 else 9223372036854775807 end)`,
    (row) => `${row['owner']}.${row['name']} has used ${row['percent']} % of its numbers`,
    (row) => `alter table ${row['owner']} alter column ${row['name']} type bigint; -- rewrites the table`,
  ),
  byQuery(
    'DB-12',
    'error',
    'No table nears the wraparound of transaction ids',
    `select ${TABLE}, age(c.relfrozenxid) as age from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'm', 't') and age(c.relfrozenxid) > 1000000000 order by 2 desc limit 5`,
    (row) => `${t(row)} is ${row['age']} transactions old; at 2 billion writing stops`,
    (row) => `vacuum (freeze, verbose) ${t(row)};`,
  ),
  byQuery(
    'DB-13',
    'warn',
    'No table is full of dead rows',
    `select relid::regclass::text as t, round(100.0 * n_dead_tup / (n_live_tup + n_dead_tup)) as percent
     from pg_stat_user_tables where n_dead_tup > 10000 and n_dead_tup > 0.4 * (n_live_tup + n_dead_tup)`,
    (row) => `${row['percent']} % of ${t(row)} are dead rows`,
    (row) => `vacuum (analyze, verbose) ${t(row)}; -- then look why autovacuum does not keep up`,
  ),
  byQuery(
    'DB-14',
    'info',
    'No index is far larger than its entries',
    `with widths as (
       select i.indexrelid, max(c.reltuples) as rows, sum(coalesce(st.avg_width, 24)) as width
       from pg_index i join pg_class c on c.oid = i.indrelid
       join pg_class ic on ic.oid = i.indexrelid join pg_am am on am.oid = ic.relam and am.amname = 'btree'
       join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
       left join pg_stats st on st.schemaname = n.nspname and st.tablename = c.relname and st.attname = a.attname
       where ${NOT_SYSTEM} and i.indpred is null group by 1)
     select indexrelid::regclass::text as t, pg_size_pretty(pg_relation_size(indexrelid)) as size,
       pg_size_pretty((rows * (width + 16) * 1.2)::bigint) as needed
     from widths where pg_relation_size(indexrelid) > 16777216
       and pg_relation_size(indexrelid) > 3 * greatest(rows, 1000) * (width + 16) * 1.2`,
    (row) => `${t(row)} takes ${row['size']}, ${row['needed']} would do`,
    (row) => `reindex index concurrently ${t(row)};`,
  ),
  byQuery(
    'DB-15',
    'warn',
    'Every table of some size was analysed',
    `select ${TABLE} from pg_class c join pg_namespace n on n.oid = c.relnamespace
     left join pg_stat_user_tables s on s.relid = c.oid
     where c.relkind = 'r' and ${NOT_SYSTEM} and s.n_live_tup + s.n_dead_tup > 5000
       and (c.reltuples < 0 or coalesce(s.last_analyze, s.last_autoanalyze) is null
         and not exists (select from pg_statistic st where st.starelid = c.oid))`,
    (row) => `${t(row)} was never analysed: its plans are guesses`,
    (row) => `analyze ${t(row)};`,
  ),
  byQuery(
    'DB-16',
    'info',
    'Nearly everything that is read is in memory',
    `select round(100.0 * sum(heap_blks_hit) / nullif(sum(heap_blks_hit + heap_blks_read), 0), 1) as percent
     from pg_statio_user_tables having sum(heap_blks_hit + heap_blks_read) > 100000
       and 100.0 * sum(heap_blks_hit) / sum(heap_blks_hit + heap_blks_read) < 95`,
    (row) => `Only ${row['percent']} % of what is read was in memory`,
    () => '-- a larger compute, or fewer sequential scans (DB-5)',
  ),
  byQuery(
    'DB-28',
    'info',
    'Every extension is the version that the server brings',
    `select quote_ident(name) as t, installed_version as mine, default_version as newest from pg_available_extensions
     where installed_version is not null and installed_version <> default_version`,
    (row) => `Extension ${t(row)} is ${row['mine']}, the server brings ${row['newest']}`,
    (row) => `alter extension ${t(row)} update;`,
  ),
]
