import { type Finding, finding } from './finding.ts'
import { type IndexModel, type SchemaModel, shownName, sqlName, type TableModel } from './model.ts'

const drift = (message: string, hint: string): Finding => finding('DB-26', 'error', message, hint)

function columns(want: TableModel, have: TableModel): Finding[] {
  const table = sqlName(want)
  const name = shownName(want)
  const found: Finding[] = []
  for (const column of want.columns) {
    const live = have.columns.find((one) => one.name === column.name)
    if (live === undefined) {
      found.push(
        drift(
          `${name}.${column.name} is missing`,
          `alter table ${table} add column ${column.name} ${column.type};`,
        ),
      )
      continue
    }
    if (live.type !== column.type) {
      found.push(
        drift(
          `${name}.${column.name} is ${live.type}, declared ${column.type}`,
          `alter table ${table} alter column ${column.name} type ${column.type};`,
        ),
      )
    }
    if (live.notNull !== column.notNull) {
      found.push(
        drift(
          `${name}.${column.name} ${live.notNull ? 'refuses' : 'takes'} null, declared otherwise`,
          `alter table ${table} alter column ${column.name} ${column.notNull ? 'set' : 'drop'} not null;`,
        ),
      )
    }
  }
  for (const live of have.columns) {
    if (want.columns.some((one) => one.name === live.name)) continue
    found.push(
      drift(`${name}.${live.name} is not declared`, `alter table ${table} drop column ${live.name};`),
    )
  }
  return found
}

const list = (index: IndexModel): string =>
  `${index.unique}${index.method}${index.expressions.join()}${index.where ?? ''}`

function indexes(want: TableModel, have: TableModel): Finding[] {
  const found: Finding[] = []
  const name = shownName(want)
  for (const index of want.indexes) {
    const live = have.indexes.find((one) => one.name === index.name)
    const made = `create ${index.unique ? 'unique ' : ''}index concurrently ${index.name} on ${sqlName(want)} …; -- as its migration has it`
    if (live === undefined) found.push(drift(`Index ${index.name} on ${name} is missing`, made))
    else if (list(live) !== list(index))
      found.push(drift(`Index ${index.name} on ${name} is another one`, made))
  }
  for (const live of have.indexes) {
    if (want.indexes.some((one) => one.name === live.name)) continue
    const drop = `drop index concurrently ${sqlName({ schema: want.schema, name: live.name })};`
    found.push(drift(`Index ${live.name} on ${name} is not declared`, drop))
  }
  return found
}

function constraints(want: TableModel, have: TableModel): Finding[] {
  const shape = (table: TableModel): Map<string, string> =>
    new Map([
      ...table.keys.map(
        (key) =>
          [
            `${key.primary ? 'Primary key' : 'Unique key'} (${key.columns.join(', ')})`,
            `add ${key.primary ? 'primary key' : 'unique'} (${key.columns.join(', ')})`,
          ] as const,
      ),
      ...table.foreignKeys.map(
        (key) =>
          [
            `Foreign key (${key.columns.join(', ')}) to ${key.target}`,
            `add foreign key (${key.columns.join(', ')}) references ${key.target} (${key.targetColumns.join(', ')}) not valid`,
          ] as const,
      ),
      ...table.checks.map((name) => [`Check ${name}`, `add constraint ${name} check (…) not valid`] as const),
    ])
  const [wanted, live] = [shape(want), shape(have)]
  const name = shownName(want)
  const missing = [...wanted].filter(([what]) => !live.has(what))
  const extra = [...live.keys()].filter((what) => !wanted.has(what))
  return [
    ...missing.map(([what, add]) =>
      drift(`${what} is missing on ${name}`, `alter table ${sqlName(want)} ${add};`),
    ),
    ...extra.map((what) => drift(`${what} on ${name} is not declared`, `\\d ${sqlName(want)}`)),
  ]
}

/**
 * 26: what differs between a declared schema and a live one. Tables of schemas in which nothing is declared are left
 * out; names of keys do not matter, what they hold does.
 */
export function findDrift(declared: SchemaModel, live: SchemaModel): Finding[] {
  const ours = new Set([...declared.values()].map((table) => table.schema))
  const found: Finding[] = []
  for (const [key, want] of declared) {
    const have = live.get(key)
    if (have === undefined) {
      found.push(drift(`Table ${shownName(want)} is missing`, 'npx breakwater db migrate'))
      continue
    }
    found.push(...columns(want, have), ...indexes(want, have), ...constraints(want, have))
  }
  for (const [key, have] of live) {
    if (!ours.has(have.schema) || declared.has(key)) continue
    found.push(drift(`Table ${shownName(have)} is not declared`, `drop table ${sqlName(have)};`))
  }
  return found
}
