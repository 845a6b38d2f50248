import { expressionText, type SchemaModel, type TableModel, typeName } from './model.ts'

/** Runs one statement and gives its rows: `(sql) => pool.query(sql).then((r) => r.rows)`. */
export type RunSql = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>

const OURS = `n.nspname not in ('pg_catalog', 'information_schema', 'drizzle', 'pg_toast') and n.nspname !~ '^pg_temp'
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`

const COLUMNS = `select n.nspname as schema, c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
    a.attnotnull as "notNull", a.attidentity <> '' as identity, pg_get_expr(d.adbin, d.adrelid) as "default"
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  where c.relkind in ('r', 'p') and not c.relispartition and ${OURS} order by 1, 2, a.attnum`

const CONSTRAINTS = `select n.nspname as schema, c.relname as table, k.conname as name, k.contype as kind,
    (select json_agg(a.attname order by o) from unnest(k.conkey) with ordinality u(num, o)
      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.num) as columns,
    fn.nspname || '.' || fc.relname as target,
    (select json_agg(a.attname order by o) from unnest(k.confkey) with ordinality u(num, o)
      join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.num) as "targetColumns"
  from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
  left join pg_class fc on fc.oid = k.confrelid left join pg_namespace fn on fn.oid = fc.relnamespace
  where k.contype in ('p', 'u', 'f', 'c') and not c.relispartition and ${OURS}`

const INDEXES = `select n.nspname as schema, c.relname as table, ic.relname as name, i.indisunique as "unique", am.amname as method,
    pg_get_expr(i.indpred, i.indrelid) as "where",
    (select json_agg(json_build_object('column', a.attname, 'text', pg_get_indexdef(i.indexrelid, o::int, true)) order by o)
      from unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality u(num, o)
      left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.num and u.num > 0) as parts
  from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
  join pg_class ic on ic.oid = i.indexrelid join pg_am am on am.oid = ic.relam
  where not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u'))
    and not c.relispartition and ${OURS}`

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] }

interface Part {
  readonly column: string | null
  readonly text: string
}

/** The tables that a live database has, those of extensions and of Drizzle's journal left out. */
export async function modelOfCatalog(run: RunSql): Promise<SchemaModel> {
  const tables = new Map<string, Mutable<TableModel>>()
  const at = (row: Readonly<Record<string, unknown>>): Mutable<TableModel> | undefined =>
    tables.get(`${row['schema']}.${row['table']}`)
  for (const row of await run(COLUMNS)) {
    const key = `${row['schema']}.${row['table']}`
    const [schema, name] = [String(row['schema']), String(row['table'])]
    const table = tables.get(key) ?? {
      schema,
      name,
      columns: [],
      keys: [],
      indexes: [],
      foreignKeys: [],
      checks: [],
    }
    tables.set(key, table)
    const serial = /^nextval\(/.test(String(row['default'] ?? ''))
    table.columns.push({
      name: String(row['name']),
      type: typeName(String(row['type'])),
      notNull: row['notNull'] === true,
      sequence: row['identity'] === true ? 'identity' : serial ? 'serial' : undefined,
    })
  }
  for (const row of await run(CONSTRAINTS)) {
    const table = at(row)
    const name = String(row['name'])
    const columns = (row['columns'] ?? []) as string[]
    if (row['kind'] === 'c') table?.checks.push(name)
    else if (row['kind'] === 'f') {
      const targetColumns = (row['targetColumns'] ?? []) as string[]
      table?.foreignKeys.push({ name, columns, target: String(row['target']), targetColumns })
    } else table?.keys.push({ name, columns, primary: row['kind'] === 'p' })
  }
  for (const row of await run(INDEXES)) {
    const table = at(row)
    const parts = (row['parts'] ?? []) as Part[]
    table?.indexes.push({
      name: String(row['name']),
      columns: parts.map(({ column }) => column ?? undefined),
      expressions: parts.map(({ column, text }) => expressionText(column ?? text, table.name)),
      unique: row['unique'] === true,
      method: String(row['method']),
      where: row['where'] == null ? undefined : expressionText(String(row['where']), table.name),
    })
  }
  return tables
}
