import { toHex } from '../core/bytes.ts'
import { sha256 } from '../core/crypto.ts'

/** Runs one statement and gives its rows. The Worker's and the command line's connections both fit. */
export type Query = (text: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>

/**
 * How values are written as text. Set alike where a backup is made and where it is restored: row digests are taken
 * over the text. `row_security = off` makes a policy that would hide rows an error instead.
 */
export const SETTINGS: readonly string[] = [
  "set local datestyle = 'ISO, YMD'",
  "set local intervalstyle = 'postgres'",
  "set local timezone = 'UTC'",
  'set local extra_float_digits = 1',
  "set local bytea_output = 'hex'",
  "set local lc_monetary = 'C'",
  'set local row_security = off',
  "set local search_path = ''",
]

/** Objects of our own making: no system schema, no temporary one, nothing that belongs to an extension. */
const OURS = (catalog: string, object: string, namespace: string): string => `
  ${namespace}.nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'drizzle')
  and ${namespace}.nspname !~ '^pg_(temp|toast_temp)_'
  and not exists (select from pg_catalog.pg_depend e
    where e.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass and e.objid = ${object} and e.deptype = 'e')`

/** A table with rows of its own. */
export interface TableInfo {
  readonly oid: string
  readonly schema: string
  readonly name: string
  /** Without generated columns. */
  readonly columns: readonly string[]
  /** Heap pages when asked. */
  readonly pages: number
}

/** Every ordinary table, partitions included, in a steady order. */
export async function readTables(query: Query): Promise<TableInfo[]> {
  const rows = await query(`
    select c.oid::text as oid, n.nspname as schema, c.relname as name,
      (pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int)::int as pages,
      coalesce((select pg_catalog.json_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''), '[]')::text as columns
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relpersistence <> 't' and ${OURS('pg_class', 'c.oid', 'n')}
    order by n.nspname collate "C", c.relname collate "C"`)
  return rows.map((row) => ({
    oid: String(row['oid']),
    schema: String(row['schema']),
    name: String(row['name']),
    columns: JSON.parse(String(row['columns'])) as string[],
    pages: Number(row['pages']),
  }))
}

/**
 * Locks tables against being dropped, emptied or rewritten while they are read, and finds those that already were since
 * the snapshot was taken: TRUNCATE and rewriting forms of ALTER TABLE are not seen by snapshots, to which such a table
 * is simply empty.
 * @returns the names of tables that were.
 */
export async function lockTables(query: Query, tables: readonly TableInfo[]): Promise<string[]> {
  if (tables.length === 0) return []
  await query(
    `lock table ${tables.map((table) => `only ${qualified(table)}`).join(', ')} in access share mode`,
  )
  const rows = await query(
    `select n.nspname || '.' || c.relname as name
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = any ($1::oid[]) and c.relfilenode is distinct from pg_catalog.pg_relation_filenode(c.oid)`,
    [tables.map(({ oid }) => oid)],
  )
  return rows.map((row) => String(row['name']))
}

/** Every sequence and where it stands. Read after the rows: it is then never behind them. */
export async function readSequences(
  query: Query,
): Promise<{ schema: string; name: string; lastValue: string | null }[]> {
  const rows = await query(`
    select n.nspname as schema, c.relname as name, pg_catalog.pg_sequence_last_value(c.oid)::text as last_value
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'S' and c.relpersistence <> 't' and ${OURS('pg_class', 'c.oid', 'n')}
    order by n.nspname collate "C", c.relname collate "C"`)
  return rows.map((row) => ({
    schema: String(row['schema']),
    name: String(row['name']),
    lastValue: row['last_value'] === null ? null : String(row['last_value']),
  }))
}

/** Extensions beyond the one that is always there. */
export async function readExtensions(query: Query): Promise<{ name: string; version: string }[]> {
  const rows = await query(
    "select extname, extversion from pg_catalog.pg_extension where extname <> 'plpgsql' order by extname",
  )
  return rows.map((row) => ({ name: String(row['extname']), version: String(row['extversion']) }))
}

/** The migrations that Drizzle recorded as applied, oldest first. */
export async function readMigrations(query: Query): Promise<{ hash: string; createdAt: string }[]> {
  const [found] = await query(
    "select pg_catalog.to_regclass('drizzle.__drizzle_migrations') is not null as present",
  )
  if (found?.['present'] !== true && found?.['present'] !== 't') return []
  const rows = await query(
    'select hash, created_at::text as created_at from drizzle.__drizzle_migrations order by created_at, id',
  )
  return rows.map((row) => ({ hash: String(row['hash']), createdAt: String(row['created_at']) }))
}

/** What a backup of rows cannot carry, in words. */
export async function readNotCovered(query: Query): Promise<string[]> {
  const [row] = await query(`
    select (select pg_catalog.count(*) from pg_catalog.pg_largeobject_metadata)::text as objects,
      (select pg_catalog.count(*) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'f' and ${OURS('pg_class', 'c.oid', 'n')})::text as foreign_tables`)
  const out: string[] = []
  if (Number(row?.['objects']) > 0) out.push(`${row?.['objects']} large objects`)
  if (Number(row?.['foreign_tables']) > 0) out.push(`the rows of ${row?.['foreign_tables']} foreign tables`)
  return out
}

/**
 * Every object of the schema by name, with a short hash of its definition: two databases with equal maps have equal
 * schemas. Definitions are as this server's major version writes them.
 */
export async function readSchema(query: Query): Promise<Record<string, string>> {
  const rows = await query(`
    select 'column ' || n.nspname || '.' || c.relname || '.' || a.attname as name,
      pg_catalog.format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull::text || a.attidentity::text || a.attgenerated::text
        || coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') as definition
    from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p') and ${OURS('pg_class', 'c.oid', 'n')}
    union all
    select 'constraint ' || n.nspname || '.' || coalesce(c.relname || '.', '') || k.conname,
      pg_catalog.pg_get_constraintdef(k.oid)
    from pg_catalog.pg_constraint k join pg_catalog.pg_namespace n on n.oid = k.connamespace
      left join pg_catalog.pg_class c on c.oid = k.conrelid
    where k.contype <> 'n' and ${OURS('pg_constraint', 'k.oid', 'n')}
      and (c.oid is null or ${OURS('pg_class', 'c.oid', 'n')})
    union all
    select 'index ' || n.nspname || '.' || c.relname, pg_catalog.pg_get_indexdef(c.oid)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('i', 'I') and ${OURS('pg_class', 'c.oid', 'n')}
      and exists (select from pg_catalog.pg_index i join pg_catalog.pg_class t on t.oid = i.indrelid
        where i.indexrelid = c.oid and ${OURS('pg_class', 't.oid', 'n')})
    union all
    select 'trigger ' || n.nspname || '.' || c.relname || '.' || t.tgname,
      pg_catalog.pg_get_triggerdef(t.oid) || t.tgenabled::text
    from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where not t.tgisinternal and ${OURS('pg_class', 'c.oid', 'n')}
    union all
    select 'view ' || n.nspname || '.' || c.relname, pg_catalog.pg_get_viewdef(c.oid)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('v', 'm') and ${OURS('pg_class', 'c.oid', 'n')}
    union all
    select 'function ' || n.nspname || '.' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
      pg_catalog.pg_get_functiondef(p.oid)
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.prokind in ('f', 'p') and ${OURS('pg_proc', 'p.oid', 'n')}
    union all
    select 'enum ' || n.nspname || '.' || t.typname,
      (select pg_catalog.string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid)
    from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    where t.typtype = 'e' and ${OURS('pg_type', 't.oid', 'n')}`)
  const names = rows.map((row) => [String(row['name']), String(row['definition'])] as const)
  names.sort(([a], [b]) => (a < b ? -1 : 1))
  const out: Record<string, string> = {}
  for (const [name, definition] of names) out[name] = toHex((await sha256(definition)).subarray(0, 8))
  return out
}

/** A quoted identifier. */
export function ident(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `"schema"."table"`. */
export function qualified({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${ident(schema)}.${ident(name)}`
}

/** `"a", "b"`. */
export function columnList(columns: readonly string[]): string {
  return columns.map(ident).join(', ')
}

/** Rows of a table and a digest of them that does not depend on their order. */
export async function readDigest(
  query: Query,
  table: { readonly schema: string; readonly name: string; readonly columns: readonly string[] },
): Promise<{ rows: number; digest: string }> {
  // Two sums of 64 bits of each row's SHA-256. `offset 0` keeps the hash from being worked out twice.
  const part = (from: number) =>
    `coalesce(pg_catalog.sum(('x' || pg_catalog.encode(pg_catalog.substr(h, ${from}, 8), 'hex'))::bit(64)::bigint::numeric), 0)::text`
  const [row] = await query(`
    select pg_catalog.count(*)::text as rows, ${part(1)} || ':' || ${part(9)} as digest
    from (select pg_catalog.sha256(pg_catalog.convert_to(row(${columnList(table.columns)})::text, 'UTF8')) as h
      from only ${qualified(table)} offset 0) s`)
  return { rows: Number(row?.['rows']), digest: String(row?.['digest']) }
}
