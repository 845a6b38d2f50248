import { fingerprint } from '../../db/index.ts'
import { type Finding, finding } from '../finding.ts'
import type { RunSql } from '../from-catalog.ts'
import { byQuery, type LiveCheck } from './check.ts'

interface Node {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly Schema?: string
  readonly Filter?: string
  readonly 'Total Cost': number
  readonly Plans?: readonly Node[]
}

/** Whether the view is there and may be read; without it there is nothing to see. */
async function hasStatistics(sql: RunSql): Promise<boolean> {
  const rows = await sql(
    `select 1 from pg_extension where extname = 'pg_stat_statements'
       and current_setting('shared_preload_libraries') like '%pg_stat_statements%'`,
  )
  return rows.length > 0
}

const TOP = `from pg_stat_statements s join pg_database d on d.oid = s.dbid and d.datname = current_database()
  where s.userid in (select oid from pg_roles where rolname !~ '^pg_')`

const shorten = (query: unknown): string => fingerprint(String(query)).slice(0, 45)

const slow: LiveCheck = {
  id: 'DB-6',
  level: 'warn',
  title: 'No statement that is often run is slow',
  async run(sql) {
    if (!(await hasStatistics(sql))) return []
    const rows = await sql(
      `select s.queryid::text as id, round(s.mean_exec_time) as ms, s.query ${TOP}
         and s.calls >= 10 and s.mean_exec_time > 200 and s.query !~* '^\\s*(copy|create|alter|vacuum|analyze|reindex)'
       order by s.total_exec_time desc limit 5`,
    )
    return rows.map((row) =>
      finding(
        'DB-6',
        'warn',
        `${row['ms']} ms on average: ${shorten(row['query'])}`,
        `select query, calls, mean_exec_time, rows from pg_stat_statements where queryid = ${row['id']};`,
      ),
    )
  },
}

function seqScans(node: Node): Node[] {
  const below = (node.Plans ?? []).flatMap(seqScans)
  return node['Node Type'] === 'Seq Scan' ? [node, ...below] : below
}

/** The columns that a filter compares, as far as one index could serve them. */
function comparedColumns(filter: string | undefined): string[] {
  const found = [...(filter ?? '').matchAll(/\(?([a-z_][a-z0-9_]*)\)?(?:::\w+)? (=|<|>|<=|>=) /gi)]
  return [...new Set(found.map((match) => match[1] ?? ''))].slice(0, 3)
}

/** What HypoPG says an index would spare, in per cent of the plan's cost; undefined without the extension. */
async function saving(sql: RunSql, query: string, index: string, cost: number): Promise<number | undefined> {
  if ((await sql(`select 1 from pg_extension where extname = 'hypopg'`)).length === 0) return undefined
  try {
    await sql(`select * from hypopg_create_index('${index.replaceAll("'", "''")}')`)
    const after = await explain(sql, query)
    return after && cost > 0 ? Math.round(100 * (1 - after['Total Cost'] / cost)) : undefined
  } finally {
    await sql('select hypopg_reset()')
  }
}

async function explain(sql: RunSql, query: string): Promise<Node | undefined> {
  // Normalised texts may not be statements any more: of those there is no plan.
  await sql('savepoint plan')
  const rows = await sql(`explain (generic_plan, format json, verbose) ${query}`).catch(async () => {
    await sql('rollback to savepoint plan')
    return []
  })
  return (rows[0]?.['QUERY PLAN'] as { Plan: Node }[] | undefined)?.[0]?.Plan
}

async function planned(sql: RunSql): Promise<Finding[]> {
  if (!(await hasStatistics(sql))) return []
  const rows = await sql(
    `select s.queryid::text as id, s.query ${TOP} and s.query ~* '^\\s*(select|update|delete)' and s.query !~* 'pg_(stat|catalog|class|index)'
     and s.calls >= 5 order by s.total_exec_time desc limit 25`,
  )
  const sizes = new Map(
    (
      await sql(
        `select relname as name, reltuples as rows from pg_class where reltuples >= 10000 and relkind = 'r'`,
      )
    ).map((row) => [String(row['name']), Number(row['rows'])]),
  )
  const found: Finding[] = []
  const seen = new Set<string>()
  for (const row of rows) {
    const query = String(row['query'])
    const plan = await explain(sql, query)
    if (plan === undefined) continue
    for (const node of seqScans(plan)) {
      const table = node['Relation Name'] ?? ''
      if (!sizes.has(table)) continue
      found.push(
        finding(
          'DB-7',
          'warn',
          `Reads all of ${table}: ${shorten(query)}`,
          `explain (generic_plan) ${query.replaceAll(/\s+/g, ' ')};`,
        ),
      )
      const columns = comparedColumns(node.Filter)
      const index = `create index concurrently on ${node.Schema === 'public' ? '' : `${node.Schema}.`}${table} (${columns.join(', ')});`
      if (columns.length === 0 || seen.has(index)) continue
      seen.add(index)
      const spared = await saving(
        sql,
        query,
        index.replace(' concurrently', '').slice(0, -1),
        plan['Total Cost'],
      )
      const gain = spared === undefined ? '' : `, ${spared} % cheaper`
      if (spared !== undefined && spared < 10) continue
      found.push(
        finding('DB-8', 'info', `An index on ${table} (${columns.join(', ')}) would help${gain}`, index),
      )
    }
  }
  return found
}

/** What pg_stat_statements tells. */
export const statementChecks: readonly LiveCheck[] = [
  slow,
  {
    id: 'DB-7',
    level: 'warn',
    title: 'None of the costliest statements reads a big table from end to end',
    run: planned,
  },
  byQuery(
    'DB-22',
    'warn',
    'pg_stat_statements is there',
    `select case
        when not exists (select from pg_available_extensions where name = 'pg_stat_statements') then 'unavailable'
        when not exists (select from pg_extension where extname = 'pg_stat_statements') then 'missing' end as what
     where not exists (select from pg_extension where extname = 'pg_stat_statements')`,
    (row) => `pg_stat_statements is ${row['what'] === 'missing' ? 'not installed' : 'not available'}`,
    (row) =>
      row['what'] === 'missing'
        ? 'create extension pg_stat_statements;'
        : "alter system set shared_preload_libraries = 'pg_stat_statements'; -- then restart",
  ),
]
