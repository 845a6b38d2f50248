/** A column, as far as checks and drift look at it. */
export interface ColumnModel {
  readonly name: string
  /** As Postgres writes it: `integer`, `character varying(20)`, `timestamp with time zone`. */
  readonly type: string
  readonly notNull: boolean
  /** Whether its values come from a sequence: `serial` or an identity. */
  readonly sequence: 'serial' | 'identity' | undefined
}

/** An index; the one behind a key is not listed here. */
export interface IndexModel {
  readonly name: string
  /** Columns in order; an expression is undefined here. */
  readonly columns: readonly (string | undefined)[]
  /** Text of each expression and column, in order, for comparing. */
  readonly expressions: readonly string[]
  readonly unique: boolean
  /** `btree`, `gin` … */
  readonly method: string
  /** Normalised predicate of a partial index. */
  readonly where: string | undefined
}

/** A foreign key. */
export interface ForeignKeyModel {
  readonly name: string
  readonly columns: readonly string[]
  /** `schema.table`. */
  readonly target: string
  readonly targetColumns: readonly string[]
}

/** A primary key or a unique constraint. */
export interface KeyModel {
  readonly name: string
  readonly columns: readonly string[]
  readonly primary: boolean
}

/** A table. */
export interface TableModel {
  readonly schema: string
  readonly name: string
  readonly columns: readonly ColumnModel[]
  readonly keys: readonly KeyModel[]
  readonly indexes: readonly IndexModel[]
  readonly foreignKeys: readonly ForeignKeyModel[]
  /** Names of check constraints. */
  readonly checks: readonly string[]
}

/** Tables of a database or of a declared schema, by `schema.table`. */
export type SchemaModel = ReadonlyMap<string, TableModel>

const ALIASES: readonly (readonly [RegExp, string])[] = [
  [/^bigserial$/, 'bigint'],
  [/^smallserial$/, 'smallint'],
  [/^serial$/, 'integer'],
  [/^(int|int4)$/, 'integer'],
  [/^int8$/, 'bigint'],
  [/^int2$/, 'smallint'],
  [/^bool$/, 'boolean'],
  [/^varchar/, 'character varying'],
  [/^char(?=$|\()/, 'character'],
  [/^timestamptz$/, 'timestamp with time zone'],
  [/^timestamp(\(\d\))?$/, 'timestamp$1 without time zone'],
  [/^timetz$/, 'time with time zone'],
  [/^time(\(\d\))?$/, 'time$1 without time zone'],
  [/^decimal/, 'numeric'],
  [/^float8$/, 'double precision'],
  [/^float4$/, 'real'],
]

/** One spelling of a type. */
export function typeName(type: string): string {
  const array = /(\[\d*\])+$/.exec(type)?.[0].replaceAll(/\d/g, '') ?? ''
  let name = type
    .slice(0, type.length - (array === '' ? 0 : (/(\[\d*\])+$/.exec(type)?.[0].length ?? 0)))
    .toLowerCase()
    .replaceAll('"', '')
    .replace(/\s*([,(])\s*/g, '$1')
    .trim()
  for (const [from, to] of ALIASES) name = name.replace(from, to)
  // Enumerations are compared without the schema they are in.
  return `${name.replace(/^\w+\.(?=\w)/, '')}${array}`
}

/** One spelling of an expression: without quotes, casts, brackets and the table's own name. */
export function expressionText(text: string, table: string): string {
  return text
    .toLowerCase()
    .replaceAll(`"`, '')
    .replace(new RegExp(`\\b(?:\\w+\\.)?${table.toLowerCase()}\\.`, 'g'), '')
    .replace(/::[a-z_]+(?: varying| precision| with(?:out)? time zone)?(?:\(\d+\))?(\[\])?/g, '')
    .replace(/= any \(array\[(.*?)\]\)/g, 'in ($1)')
    .replace(/ collate \S+/g, '')
    .replace(/<>/g, '!=')
    .replace(/[()\s]/g, '')
}

/** The name people use: without the schema where it is `public`. */
export function shownName(table: Pick<TableModel, 'schema' | 'name'>): string {
  return table.schema === 'public' ? table.name : `${table.schema}.${table.name}`
}

/** In quotes, for a statement to be run. */
export function sqlName(table: Pick<TableModel, 'schema' | 'name'>): string {
  const quote = (name: string): string =>
    /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
  return table.schema === 'public' ? quote(table.name) : `${quote(table.schema)}.${quote(table.name)}`
}
