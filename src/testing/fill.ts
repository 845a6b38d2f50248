import { getTableName } from 'drizzle-orm'
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core'
import { type Overrides, planTable, qualified, quote, type TablePlan, tablesOf } from './rows.ts'

/** A connection of `pg`, or anything with its `query`. */
export interface SqlClient {
  query(sql: string, params?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>
}

/** Options of {@link fill}. */
export interface FillOptions {
  /** One connection, not a pool: all of it is one transaction. It must own the tables. */
  readonly client: SqlClient
  /** Drizzle tables, among anything else: `import * as schema`. */
  readonly schema: Readonly<Record<string, unknown>>
  /** Rows of each table; by table name for some, under `*` for the rest. */
  readonly rows: number | Readonly<Record<string, number>>
  /**
   * SQL for columns whose values must agree with each other, by table and column name; `n` is the row's number and
   * `rows` their count.
   */
  readonly columns?: Readonly<Record<string, Overrides>>
  /** Which tables are filled, by name; the others are counted in `rows` and left alone. Default: all. */
  readonly only?: readonly string[]
  /** Told of each table. Default: nobody. */
  readonly log?: (line: string) => void
}

/** What {@link fill} did. */
export interface Filled {
  readonly tables: Readonly<Record<string, number>>
  readonly seconds: number
}

/** Parents before children; a table that refers to itself, or a cycle, stands where it was met. */
function inOrder(tables: readonly PgTable[]): PgTable[] {
  const done = new Set<PgTable>()
  const visit = (table: PgTable): void => {
    if (done.has(table)) return
    done.add(table)
    for (const key of getTableConfig(table).foreignKeys) visit(key.reference().foreignTable)
    order.push(table)
  }
  const order: PgTable[] = []
  for (const table of tables) visit(table)
  return order
}

interface Named {
  readonly name: string
  readonly definition: string
}

/** What is made again when the rows are there, which is far quicker: indexes, keys, and keys that refer to others. */
async function setAside(
  client: SqlClient,
  table: string,
): Promise<{ indexes: Named[]; keys: Named[]; foreign: Named[] }> {
  const indexes = await client.query(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition from pg_index i
     where i.indrelid = $1::regclass and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`,
    [table],
  )
  const constraints = await client.query(
    `select quote_ident(conname) as name, pg_get_constraintdef(oid) as definition, contype = 'f' as foreign
     from pg_constraint c where conrelid = $1::regclass and (contype = 'f'
       or contype in ('p', 'u') and not exists (select from pg_constraint f where f.confrelid = c.conrelid
         and f.contype = 'f' and f.conindid = c.conindid))`,
    [table],
  )
  const rows = constraints.rows as unknown as (Named & { foreign: boolean })[]
  return {
    indexes: indexes.rows as unknown as Named[],
    keys: rows.filter((row) => !row.foreign),
    foreign: rows.filter((row) => row.foreign),
  }
}

/** Where the log is kept to a minimum, Postgres writes none of rows put into a table that began in this transaction. */
async function emptied(client: SqlClient, table: string): Promise<void> {
  const { rows } = await client.query(`select exists (select from ${table}) as some`)
  if (rows[0]?.['some'] !== false) return
  await client.query('savepoint emptied')
  await client.query(`truncate ${table}`).catch(() => client.query('rollback to savepoint emptied'))
  await client.query('release savepoint emptied')
}

/** The one statement that makes the rows of a table. */
export function insertOf({ name, values, rows }: TablePlan): string {
  const columns = [...values.keys()].map(quote).join(', ')
  return `insert into ${name} (${columns}) overriding system value
    select ${[...values.values()].join(',\n      ')} from generate_series(1, ${rows}) n, (select ${rows}::float8 as rows) r`
}

/**
 * Fills empty tables with rows like those of real use, made inside the server: keys that grow with time, foreign keys
 * that hit few parents often, enumerations with rare members, moments that grow denser towards today. The same call
 * gives the same rows. Two million rows of a usual table take some ten seconds.
 *
 * @throws Error naming the table when its rows break a constraint: give those columns under `columns`
 */
export async function fill(options: FillOptions): Promise<Filled> {
  const { client, schema, rows, columns = {}, only, log = () => {} } = options
  const began = performance.now()
  const rowsOf = (table: PgTable): number => {
    const count = typeof rows === 'number' ? rows : (rows[getTableName(table)] ?? rows['*'] ?? 1000)
    if (!Number.isInteger(count) || count < 1) throw new TypeError('rows must be whole numbers above 0')
    return count
  }
  const tables = inOrder(tablesOf(schema)).filter((table) => only?.includes(getTableName(table)) ?? true)
  const plans = tables.map((table) => planTable(table, rowsOf, columns[getTableName(table)]))
  const filled: Record<string, number> = {}
  await client.query('begin')
  try {
    await client.query("set local maintenance_work_mem = '256MB'; set local synchronous_commit = off")
    const foreign = new Map<string, Named[]>()
    for (const { name } of plans) {
      foreign.set(name, (await setAside(client, name)).foreign)
      for (const key of foreign.get(name) ?? [])
        await client.query(`alter table ${name} drop constraint ${key.name}`)
    }
    for (const plan of plans) {
      const { name } = plan
      const { indexes, keys } = await setAside(client, name)
      for (const index of indexes) await client.query(`drop index ${index.name}`)
      for (const key of keys) await client.query(`alter table ${name} drop constraint ${key.name}`)
      const at = performance.now()
      try {
        await emptied(client, name)
        await client.query(insertOf(plan))
        for (const key of keys)
          await client.query(`alter table ${name} add constraint ${key.name} ${key.definition}`)
        for (const index of indexes) await client.query(index.definition)
      } catch (error) {
        const { constraint, message } = error as { constraint?: string; message: string }
        const what = constraint === undefined ? message : `break its constraint ${constraint}`
        throw new Error(`The rows made for ${name} ${what}: say under columns how they are made.`, {
          cause: error,
        })
      }
      filled[getTableName(plan.table)] = plan.rows
      log(`${name}: ${plan.rows} rows in ${((performance.now() - at) / 1000).toFixed(1)} s`)
    }
    for (const [name, keys] of foreign) {
      for (const key of keys)
        await client.query(`alter table ${name} add constraint ${key.name} ${key.definition}`)
    }
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
  for (const table of tables) await client.query(`vacuum (analyze) ${qualified(table)}`)
  return { tables: filled, seconds: (performance.now() - began) / 1000 }
}
