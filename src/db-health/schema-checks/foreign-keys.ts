import { type Finding, finding } from '../finding.ts'
import { type IndexModel, type SchemaModel, shownName, sqlName, type TableModel } from '../model.ts'

/** Whether an index, or a key, begins with these columns, in whatever order. */
function beginsWith(columns: readonly (string | undefined)[], wanted: readonly string[]): boolean {
  const head = columns.slice(0, wanted.length)
  return head.length === wanted.length && wanted.every((column) => head.includes(column))
}

/** Whether an index finds every row that refers to a parent: one with a predicate about nulls only does, too. */
function coversAll({ where, columns, method }: IndexModel, wanted: readonly string[]): boolean {
  if (method !== 'btree' && !(method === 'hash' && columns.length === 1)) return false
  if (where === undefined) return true
  return wanted.some((column) => where === `${column.toLowerCase()}isnotnull`)
}

/** 1: a foreign key without an index that begins with its columns: deleting a parent reads the whole child table. */
export function unindexedForeignKeys(model: SchemaModel): Finding[] {
  return each(model, (table) =>
    table.foreignKeys
      .filter(({ columns }) => {
        const keyed = table.keys.some((key) => beginsWith(key.columns, columns))
        return (
          !keyed &&
          !table.indexes.some((index) => beginsWith(index.columns, columns) && coversAll(index, columns))
        )
      })
      .map(({ columns }) =>
        finding(
          'DB-1',
          'error',
          `${shownName(table)}(${columns.join(', ')}) is a foreign key without an index`,
          `create index concurrently on ${sqlName(table)} (${columns.join(', ')});`,
        ),
      ),
  )
}

/** 27: a foreign key whose type is not its target's: every join and check casts, and may not use the index. */
export function mismatchedForeignKeys(model: SchemaModel): Finding[] {
  return each(model, (table) =>
    table.foreignKeys.flatMap((key) => {
      const target = model.get(key.target)
      return key.columns.flatMap((name, at) => {
        const mine = table.columns.find((column) => column.name === name)
        const theirs = target?.columns.find((column) => column.name === key.targetColumns[at])
        if (mine === undefined || theirs === undefined || mine.type === theirs.type) return []
        return finding(
          'DB-27',
          'error',
          `${shownName(table)}.${name} is ${mine.type}, what it refers to is ${theirs.type}`,
          `alter table ${sqlName(table)} alter column ${name} type ${theirs.type}; -- rewrites the table`,
        )
      })
    }),
  )
}

/** Runs a check on every table. */
export function each(model: SchemaModel, check: (table: TableModel) => Finding[]): Finding[] {
  return [...model.values()].flatMap(check)
}
