import { getTableName, is, type SQL } from 'drizzle-orm'
import {
  type AnyPgColumn,
  getTableConfig,
  type PgColumn,
  type PgTable,
  PgTable as Table,
} from 'drizzle-orm/pg-core'

/** SQL for a column of row `n` (1, 2, …), by the column's name in the database. */
export type Overrides = Readonly<Record<string, string>>

/** A table with what is needed to make rows for it. */
export interface TablePlan {
  /** `"schema"."table"`. */
  readonly name: string
  readonly table: PgTable
  readonly rows: number
  /** Column name to SQL expression. */
  readonly values: ReadonlyMap<string, string>
}

export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** `"schema"."table"`. */
export function qualified(table: PgTable): string {
  const { schema, name } = getTableConfig(table)
  return `${schema === undefined ? '' : `${quote(schema)}.`}${quote(name)}`
}

/** The tables among a module's exports. */
export function tablesOf(schema: Readonly<Record<string, unknown>>): PgTable[] {
  return [...new Set(Object.values(schema).filter((value): value is PgTable => is(value, Table)))]
}

// Two rows in three belong to the last third of a year, as in anything that grows. Of hours, since years take longer.
const moment = (ahead = ''): string =>
  `(now() - interval '8760 hours' * power(1 - n::float8 / rows, 2)${ahead})`

/** 64 bits that depend on the row and on nothing else, so that filling twice gives the same. */
const bits = (seed: string, n = 'n'): string => `hashint8extended(${n}, hashtext(${literal(seed)}))`

/** A number from 0 to 1 of the same kind. */
const chance = (seed: string): string => `((${bits(seed)} & 1048575) / 1048576.0::float8)`

/** Small numbers are common, large ones rare. */
const skewed = (seed: string, most: number): string =>
  `(1 + floor(${most} * power(${chance(seed)}, 2)))::bigint`

/** A UUID of version 7 for row `n`: later rows sort later, as those that an application makes. */
const uuidFor = (seed: string, n = 'n'): string => {
  const random = bits(seed, `(${n})::bigint`)
  return `('0' || to_hex(1700000000000 + (${n})::bigint * 20000) || to_hex(28672 | (${random} & 4095))
    || to_hex(${random} >> 2 & 4611686018427387903 | x'8000000000000000'::bigint))::uuid`
}

interface Column {
  readonly name: string
  readonly type: string
  readonly notNull: boolean
  readonly unique: boolean
  readonly enumValues: readonly string[] | undefined
  readonly generated: boolean
}

function describe(column: PgColumn, unique: boolean): Column {
  return {
    name: column.name,
    type: column.getSQLType().toLowerCase(),
    notNull: column.notNull,
    unique,
    enumValues: column.enumValues as readonly string[] | undefined,
    generated: column.generated !== undefined || column.generatedIdentity?.type === 'always',
  }
}

/**
 * The SQL of a key's value in a row of its table, for columns that refer to it without a foreign key.
 * @param column such as `users.id`
 * @param n SQL of the row's number there. Default `n`: the same as in the table that is being filled.
 */
export function keyOf(column: AnyPgColumn, n?: string): string {
  return keyValue(getTableName(column.table), describe(column, true), n)
}

/** The value of a key's column in row `n` of its table: foreign keys compute it again. */
function keyValue(table: string, { type, name }: Column, n = 'n'): string {
  if (type === 'uuid') return uuidFor(`${table}.${name}`, n)
  if (/int|serial/.test(type)) return `${n}`
  if (/timestamp|date/.test(type)) return `(timestamptz '2020-01-01' + ${n} * interval '1 second')::${type}`
  return text(`${table}.${name}`, type, n)
}

function text(seed: string, type: string, n: string): string {
  const length = Number(/\((\d+)\)/.exec(type)?.[1] ?? 60)
  if (/mail/.test(seed)) return `('user' || ${n} || '@example.com')`
  return `left(to_hex(${bits(seed, `(${n})::bigint`)}) || to_hex(${bits(`${seed}.`, `(${n})::bigint`)}) || '-' || ${n}, ${length})`
}

function free(table: string, column: Column): string {
  const { name, type, notNull, enumValues, unique } = column
  const seed = `${table}.${name}`
  if (unique) return keyValue(table, column)
  let value: string
  if (type.endsWith('[]')) value = `'{}'::${type}`
  else if (enumValues !== undefined && enumValues.length > 0) {
    const list = enumValues.map(literal).join(', ')
    value = `(array[${list}])[${skewed(`${seed}:e`, enumValues.length)}]${/^text|^varchar/.test(type) ? '' : `::${quote(type)}`}`
  } else if (type === 'uuid') value = uuidFor(seed)
  else if (/timestamp/.test(type)) {
    const ahead = /expire|until|after|due/.test(name)
    value = ahead ? moment(` + interval '1440 hours' * ${chance(seed)}`) : moment()
  } else if (type === 'date') value = `${moment()}::date`
  else if (/^(big|small)?(int|serial)/.test(type))
    value = `${skewed(seed, 1000)}::${type.replace(/serial/, 'int')}`
  else if (/numeric|real|double/.test(type)) value = `(power(${chance(seed)}, 3) * 1000)::${type}`
  else if (type === 'boolean') value = `(${chance(seed)} < 0.1)`
  else if (/^jsonb?$/.test(type)) value = `jsonb_build_object('n', n, 'kind', n % 7)::${type}`
  else if (type === 'bytea') value = `int8send(${bits(seed)}) || int8send(${bits(`${seed}.`)})`
  else if (/name|city|country|kind|type|state|status|device/.test(name)) {
    value = `left(${literal(name)} || '-' || ${skewed(seed, 20)}, ${Number(/\((\d+)\)/.exec(type)?.[1] ?? 60)})`
  } else if (/text|char/.test(type)) value = text(seed, type, 'n')
  else value = 'default'
  return notNull || value === 'default'
    ? value
    : `case when ${chance(`${seed}:null`)} < 0.3 then null else ${value} end`
}

function uniqueColumns(table: PgTable): Set<string> {
  const { columns, primaryKeys, uniqueConstraints, indexes } = getTableConfig(table)
  const found = new Set(columns.filter((one) => one.primary || one.isUnique).map((one) => one.name))
  const last = (list: readonly { name?: string }[]): void => {
    const name = list.at(-1)?.name
    if (name !== undefined) found.add(name)
  }
  for (const key of primaryKeys) last(key.columns)
  for (const key of uniqueConstraints) last(key.columns)
  for (const { config } of indexes) {
    if (!config.unique) continue
    // Of an expression such as lower(email), every column is made unique.
    for (const one of config.columns) {
      if ('name' in one && typeof one.name === 'string') found.add(one.name)
      else for (const part of (one as SQL).queryChunks) if (isColumn(part)) found.add(part.name)
    }
  }
  return found
}

const isColumn = (value: unknown): value is PgColumn =>
  typeof value === 'object' && value !== null && 'columnType' in value && 'name' in value

/** Works out the rows of one table. */
export function planTable(
  table: PgTable,
  rowsOf: (table: PgTable) => number,
  overrides: Overrides = {},
): TablePlan {
  const { columns, foreignKeys } = getTableConfig(table)
  const name = getTableName(table)
  const unique = uniqueColumns(table)
  const values = new Map<string, string>()
  for (const key of foreignKeys) {
    const { columns: mine, foreignTable, foreignColumns } = key.reference()
    const parents = rowsOf(foreignTable)
    mine.forEach((column, at) => {
      const target = foreignColumns[at]
      if (target === undefined) return
      // A few parents have many children; where the column is a key itself, each has one.
      const alone = unique.has(column.name) && mine.length === 1
      const parent = alone ? 'n' : `(1 + floor(${parents} * power(${chance(`${name}.fk`)}, 2)))::bigint`
      const value = keyValue(getTableName(foreignTable), describe(target, true), parent)
      values.set(column.name, column.notNull ? value : `case when n % 10 = 0 then null else ${value} end`)
    })
  }
  for (const column of columns) {
    const one = describe(column, unique.has(column.name))
    if (one.generated || values.has(one.name)) continue
    values.set(one.name, free(name, one))
  }
  for (const [column, value] of Object.entries(overrides)) {
    if (!columns.some((one) => one.name === column)) throw new TypeError(`${name} has no column ${column}`)
    values.set(column, value)
  }
  for (const [column, value] of values) if (value === 'default') values.delete(column)
  return { name: qualified(table), table, rows: rowsOf(table), values }
}
