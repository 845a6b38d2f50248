import { is, SQL, sql } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import type { CriticalQuery } from '../../db/index.ts'
import { type Finding, finding } from '../finding.ts'
import { expressionText, type SchemaModel, type TableModel } from '../model.ts'

const dialect = new PgDialect()
const NAME = '"((?:[^"]|"")+)"'
const TABLE = new RegExp(`^(?:select\\b.*?\\bfrom|update|delete from) (?:${NAME}\\.)?${NAME}`, 'is')

/** What a statement of one table asks for. */
interface Shape {
  readonly equal: readonly string[]
  readonly range: readonly string[]
  readonly order: readonly string[]
  readonly limited: boolean
  readonly text: string
}

function shapeOf(text: string, table: string): Shape {
  const where =
    /\bwhere\b(.*?)(?:\border by\b|\blimit\b|\breturning\b|\bgroup by\b|$)/is.exec(text)?.[1] ?? ''
  const order = /\border by\b(.*?)(?:\blimit\b|\boffset\b|\bfor\b|$)/is.exec(text)?.[1] ?? ''
  // An `or` is as good as its worst side: what it asks for is no equality.
  const joined = / or /i.test(where)
  const found = (operators: string): string[] =>
    [...where.matchAll(new RegExp(`(?<!\\()(?:${NAME}\\.)*${NAME} ${operators}`, 'gi'))].map(
      (m) => m.at(-1) ?? '',
    )
  const equal = found('(?:=|in|is null)(?! not)').filter((name) => name !== '')
  return {
    equal: joined ? [] : equal,
    range: joined ? [] : found('(?:<=?|>=?|between|is not null)'),
    order: [...order.matchAll(new RegExp(`(?:${NAME}\\.)?${NAME}`, 'g'))].map((m) => m[2] ?? ''),
    limited: /\blimit\b/i.test(text),
    text: expressionText(text, table),
  }
}

interface Road {
  readonly columns: readonly (string | undefined)[]
  readonly unique: boolean
}

function roadsOf(table: TableModel, shape: Shape): Road[] {
  const usable = table.indexes.filter(
    ({ method, where }) => method === 'btree' && (where === undefined || shape.text.includes(where)),
  )
  return [...table.keys.map(({ columns }) => ({ columns, unique: true })), ...usable]
}

/** Whether an index leads to the rows, and, when only the first few are wanted, in their order. */
function serves({ columns, unique }: Road, shape: Shape): boolean {
  let at = 0
  while (at < columns.length && shape.equal.includes(columns[at] ?? '')) at++
  if (unique && at === columns.length) return true
  const ordered = shape.order.every((name, n) => columns[at + n] === name || shape.equal.includes(name))
  const ranged = shape.range.includes(columns[at] ?? '')
  if (shape.limited && shape.order.length > 0) return ordered && (at > 0 || columns[0] === shape.order[0])
  if (at > 0 || ranged) return true
  return shape.equal.length + shape.range.length === 0 && shape.order.length > 0 && ordered
}

/** 25: a declared query whose WHERE and ORDER BY begin no index. Looks at Drizzle queries of one table. */
export function unservedQueries(model: SchemaModel, queries: readonly CriticalQuery[]): Finding[] {
  return queries.flatMap(({ name, source }) => {
    if (typeof source === 'function') return []
    const query = is(source, SQL) ? source : source.getSQL()
    const text = dialect.sqlToQuery(sql`${query}`).sql.replace(/^\((.*)\)$/s, '$1')
    const [, schema = 'public', tableName = ''] = TABLE.exec(text) ?? []
    const table = model.get(`${schema}.${tableName}`)
    if (table === undefined || / join /i.test(text)) return []
    const shape = shapeOf(text, tableName)
    const roads = roadsOf(table, shape)
    if (roads.some((road) => serves(road, shape))) return []
    const columns = [...new Set([...shape.equal, ...shape.order, ...shape.range])].slice(0, 3)
    const what = columns.length === 0 ? 'reads its whole table' : `finds no index on (${columns.join(', ')})`
    return finding(
      'DB-25',
      'error',
      `${name} ${what}`,
      columns.length === 0
        ? '-- give the query a WHERE, or an ORDER BY with a LIMIT, that an index serves'
        : `create index concurrently on ${schema === 'public' ? '' : `${schema}.`}${tableName} (${columns.join(', ')});`,
    )
  })
}
