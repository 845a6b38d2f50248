import type { CheckTitle, Finding, Level } from '../finding.ts'
import { finding } from '../finding.ts'
import type { RunSql } from '../from-catalog.ts'

/** A row of a check's query. */
export type Row = Readonly<Record<string, unknown>>

/** A check of a live database. */
export interface LiveCheck extends CheckTitle {
  run(sql: RunSql): Promise<Finding[]>
}

/** A check that is one query: each row is a finding. */
export function byQuery(
  id: string,
  level: Level,
  title: string,
  query: string,
  message: (row: Row) => string,
  hint: (row: Row) => string,
): LiveCheck {
  return {
    id,
    level,
    title,
    run: async (sql) => (await sql(query)).map((row) => finding(id, level, message(row), hint(row))),
  }
}

/** Schemas that are not the application's. */
export const NOT_SYSTEM = `nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'drizzle') and nspname !~ '^pg_temp'`

/** A table's name in SQL: `t` of a row, which Postgres has quoted. */
export const t = (row: Row, name = 't'): string => String(row[name])
