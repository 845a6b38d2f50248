import { is, SQL, type SQL as Sql } from 'drizzle-orm'
import { getTableConfig, PgDialect, PgTable } from 'drizzle-orm/pg-core'
import {
  type ColumnModel,
  expressionText,
  type IndexModel,
  type SchemaModel,
  type TableModel,
  typeName,
} from './model.ts'

const dialect = new PgDialect()

/** The text of an expression of DDL, whose values are written out. */
function textOf(expression: Sql): string {
  return dialect.sqlToQuery(expression.inlineParams()).sql
}

function columnsOf(table: PgTable): ColumnModel[] {
  const { columns, primaryKeys } = getTableConfig(table)
  const keyed = new Set(primaryKeys.flatMap((key) => key.columns.map((column) => column.name)))
  return columns.map((column) => {
    const type = column.getSQLType()
    return {
      name: column.name,
      type: typeName(type),
      notNull: column.notNull || keyed.has(column.name),
      sequence: /serial$/i.test(type) ? 'serial' : column.generatedIdentity ? 'identity' : undefined,
    }
  })
}

type IndexConfig = ReturnType<typeof getTableConfig>['indexes'][number]['config']

function indexOf(table: string, config: IndexConfig): IndexModel {
  const parts = config.columns.map((part) => {
    if (is(part, SQL)) return { column: undefined, text: expressionText(textOf(part), table) }
    const { name } = part as { name: string }
    return { column: name, text: name.toLowerCase() }
  })
  return {
    name: config.name ?? `${table}_${parts.map((part) => part.column).join('_')}_index`,
    columns: parts.map((part) => part.column),
    expressions: parts.map((part) => part.text),
    unique: config.unique,
    method: config.method ?? 'btree',
    where: config.where && expressionText(textOf(config.where), table),
  }
}

const full = (table: PgTable): string => {
  const { schema = 'public', name } = getTableConfig(table)
  return `${schema}.${name}`
}

function tableOf(table: PgTable): TableModel {
  const {
    schema = 'public',
    name,
    columns,
    indexes,
    foreignKeys,
    primaryKeys,
    uniqueConstraints,
    checks,
  } = getTableConfig(table)
  return {
    schema,
    name,
    columns: columnsOf(table),
    keys: [
      ...columns
        .filter((column) => column.primary)
        .map((column) => ({ name: `${name}_pkey`, columns: [column.name], primary: true })),
      ...primaryKeys.map((key) => ({
        name: key.getName(),
        columns: key.columns.map((column) => column.name),
        primary: true,
      })),
      ...columns
        .filter((column) => column.isUnique)
        .map((column) => ({ name: column.uniqueName ?? '', columns: [column.name], primary: false })),
      ...uniqueConstraints.map((key) => ({
        name: key.getName() ?? '',
        columns: key.columns.map((column) => column.name),
        primary: false,
      })),
    ],
    indexes: indexes.map(({ config }) => indexOf(name, config)),
    foreignKeys: foreignKeys.map((key) => {
      const { columns: from, foreignTable, foreignColumns } = key.reference()
      return {
        name: key.getName(),
        columns: from.map((column) => column.name),
        target: full(foreignTable),
        targetColumns: foreignColumns.map((column) => column.name),
      }
    }),
    checks: checks.map((one) => one.name),
  }
}

/** The tables among the exports of a Drizzle schema, without a database. */
export function modelOf(schema: Readonly<Record<string, unknown>>): SchemaModel {
  const tables = Object.values(schema).filter((value): value is PgTable => is(value, PgTable))
  return new Map(tables.map((table) => [full(table), tableOf(table)]))
}
