import { type Finding, finding } from '../finding.ts'
import { type IndexModel, type SchemaModel, shownName, sqlName, type TableModel } from '../model.ts'
import { each } from './foreign-keys.ts'

/** 2: a table without a primary key cannot be replicated, resumed or paged through. */
export function missingPrimaryKeys(model: SchemaModel): Finding[] {
  return each(model, (table) =>
    table.keys.some((key) => key.primary)
      ? []
      : [
          finding(
            'DB-2',
            'error',
            `${shownName(table)} has no primary key`,
            `alter table ${sqlName(table)} add column id uuid primary key default gen_random_uuid();`,
          ),
        ],
  )
}

const startsWith = (longer: readonly string[], shorter: readonly string[]): boolean =>
  shorter.length <= longer.length && shorter.every((part, at) => longer[at] === part)

interface Candidate {
  readonly name: string
  readonly expressions: readonly string[]
  readonly unique: boolean
  readonly method: string
  readonly where: string | undefined
  readonly key: boolean
}

function candidates(table: TableModel): Candidate[] {
  const keys = table.keys.map(({ name, columns, primary }) => ({
    name: name || `the ${primary ? 'primary key' : 'unique constraint'}`,
    expressions: columns.map((column) => column.toLowerCase()),
    unique: true,
    method: 'btree',
    where: undefined,
    key: true,
  }))
  const indexes = table.indexes.map((index: IndexModel) => ({ ...index, key: false }))
  return [...keys, ...indexes]
}

/** Whether `other` does all that `index` does. A unique one also forbids, so only an equal unique one replaces it. */
function covers(other: Candidate, index: Candidate): boolean {
  if (other.method !== index.method || index.method !== 'btree' || other.where !== index.where) return false
  if (!startsWith(other.expressions, index.expressions)) return false
  return !index.unique || (other.unique && other.expressions.length === index.expressions.length)
}

/** 3: an index that another one covers costs every write and helps no read. */
export function redundantIndexes(model: SchemaModel): Finding[] {
  return each(model, (table) => {
    const all = candidates(table)
    return all.flatMap((index, at) => {
      if (index.key) return []
      const other = all.find(
        (one, position) =>
          position !== at &&
          covers(one, index) &&
          // Of two that cover each other the later one goes.
          (!covers(index, one) || one.key || position < at),
      )
      if (other === undefined) return []
      return finding(
        'DB-3',
        'warn',
        `${index.name} on ${shownName(table)} is covered by ${other.name}`,
        `drop index concurrently ${sqlName({ schema: table.schema, name: index.name })};`,
      )
    })
  })
}

/** 11: keys of 32 bits run out at 2,147,483,647, and `serial` leaves its sequence behind when columns move. */
export function smallKeys(model: SchemaModel): Finding[] {
  return each(model, (table) =>
    table.columns.flatMap((column) => {
      const primary = table.keys.some(
        (key) => key.primary && key.columns.length === 1 && key.columns[0] === column.name,
      )
      const small = /^(integer|smallint)$/.test(column.type)
      const counted = column.sequence !== undefined
      if (!counted || (!small && column.sequence !== 'serial') || (!primary && !counted)) return []
      return finding(
        'DB-11',
        small ? 'warn' : 'info',
        small
          ? `${shownName(table)}.${column.name} is a ${column.type} that a sequence fills`
          : `${shownName(table)}.${column.name} is serial: an identity is safer`,
        small
          ? `alter table ${sqlName(table)} alter column ${column.name} type bigint; -- rewrites the table`
          : `-- in the schema: bigint().generatedAlwaysAsIdentity() for ${column.name}`,
      )
    }),
  )
}
