import { expressionText, type SchemaModel, type TableModel, typeName } from './model.ts'

/** `drizzle/meta/NNNN_snapshot.json`, as far as it is looked at. */
export interface DrizzleSnapshot {
  readonly tables: Readonly<Record<string, SnapshotTable>>
}

interface SnapshotTable {
  readonly name: string
  readonly schema: string
  readonly columns: Readonly<
    Record<
      string,
      {
        name: string
        type: string
        primaryKey: boolean
        notNull: boolean
        identity?: unknown
        generated?: unknown
      }
    >
  >
  readonly indexes: Readonly<
    Record<
      string,
      {
        name: string
        columns: readonly { expression: string; isExpression: boolean }[]
        isUnique: boolean
        where?: string
        method: string
      }
    >
  >
  readonly foreignKeys: Readonly<
    Record<
      string,
      { name: string; columnsFrom: string[]; tableTo: string; schemaTo?: string; columnsTo: string[] }
    >
  >
  readonly compositePrimaryKeys: Readonly<Record<string, { name: string; columns: string[] }>>
  readonly uniqueConstraints: Readonly<Record<string, { name: string; columns: string[] }>>
  readonly checkConstraints?: Readonly<Record<string, { name: string }>>
}

function tableOf(table: SnapshotTable): TableModel {
  const { name } = table
  const columns = Object.values(table.columns)
  const keyed = new Set(Object.values(table.compositePrimaryKeys).flatMap((key) => key.columns))
  return {
    schema: table.schema || 'public',
    name,
    columns: columns.map((column) => ({
      name: column.name,
      type: typeName(column.type),
      notNull: column.notNull || keyed.has(column.name),
      sequence: /serial$/.test(column.type) ? 'serial' : column.identity ? 'identity' : undefined,
    })),
    keys: [
      ...columns
        .filter((column) => column.primaryKey)
        .map((column) => ({ name: `${name}_pkey`, columns: [column.name], primary: true })),
      ...Object.values(table.compositePrimaryKeys).map((key) => ({ ...key, primary: true })),
      ...Object.values(table.uniqueConstraints).map((key) => ({
        name: key.name,
        columns: key.columns,
        primary: false,
      })),
    ],
    indexes: Object.values(table.indexes).map((index) => ({
      name: index.name,
      columns: index.columns.map((column) => (column.isExpression ? undefined : column.expression)),
      expressions: index.columns.map((column) => expressionText(column.expression, name)),
      unique: index.isUnique,
      method: index.method,
      where: index.where === undefined ? undefined : expressionText(index.where, name),
    })),
    foreignKeys: Object.values(table.foreignKeys).map((key) => ({
      name: key.name,
      columns: key.columnsFrom,
      target: `${key.schemaTo || 'public'}.${key.tableTo}`,
      targetColumns: key.columnsTo,
    })),
    checks: Object.values(table.checkConstraints ?? {}).map((one) => one.name),
  }
}

/** What migrations have come to, by the snapshot that drizzle-kit keeps beside them. */
export function modelOfSnapshot(snapshot: DrizzleSnapshot): SchemaModel {
  return new Map(
    Object.values(snapshot.tables).map((table) => [
      `${table.schema || 'public'}.${table.name}`,
      tableOf(table),
    ]),
  )
}
