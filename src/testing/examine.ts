import { Placeholder, sql } from 'drizzle-orm'
import { type AnyPgColumn, PgDialect } from 'drizzle-orm/pg-core'
import { criticalQueries } from '../db/critical.ts'
import { databaseOver } from '../db/database.ts'
import { type AnyDatabase, type CriticalQuery, fingerprint, type PickValue } from '../db/index.ts'
import { type Result, type Statement, typeParsers } from '../db/transport.ts'
import type { SqlClient } from './fill.ts'
import { judgePlan, LIMITS, type PlanFault, type PlanLimits, type PlanNode, planText } from './plan.ts'

/** What came of one statement of a declared query. */
export interface Examined {
  /** The declared name; a query of several statements has several of them. */
  readonly name: string
  /** The statement's fingerprint. */
  readonly statement: string
  /** One line a node. */
  readonly plan: string
  /** Milliseconds to plan and run it; undefined when only its plan was asked for. */
  readonly milliseconds: number | undefined
  readonly faults: readonly PlanFault[]
}

/** Options of {@link examineQueries}. */
export interface ExamineOptions extends Partial<PlanLimits> {
  /** One connection to a filled database, not a pool. Everything is undone. */
  readonly client: SqlClient
  /** Default: all that {@link criticalQueries} knows. */
  readonly queries?: readonly CriticalQuery[]
}

const dialect = new PgDialect()

async function sizesOf(client: SqlClient): Promise<Map<string, number>> {
  const { rows } = await client.query(
    `select relname as name, greatest(reltuples, 0)::bigint::text as rows from pg_class where relkind in ('r', 'p', 'm')`,
  )
  return new Map(rows.map((row) => [String(row['name']), Number(row['rows'])]))
}

/** Finds values by walking the table from its middle, so that each call gives another one that is there. */
function picker(client: SqlClient): PickValue {
  const given = new Map<AnyPgColumn, number>()
  return async function pick<T>(column: AnyPgColumn): Promise<T> {
    const at = given.get(column) ?? 0
    given.set(column, at + 1)
    const query = dialect.sqlToQuery(
      sql`select ${column} as value from ${column.table} where ${column} is not null
        offset (select greatest(reltuples, 0)::bigint / 2 + ${at * 7}::bigint from pg_class
          where oid = ${tableName(column)}::regclass) limit 1`,
    )
    const { rows } = await client.query(query.sql, query.params)
    const [row] = rows
    if (row === undefined)
      throw new Error(`${tableName(column)} has no value for ${column.name}: fill it first`)
    return row['value'] as T
  }
}

const tableName = (column: AnyPgColumn): string => dialect.sqlToQuery(sql`${column.table}`).sql

interface Explained {
  readonly Plan: PlanNode
  readonly 'Planning Time'?: number
  readonly 'Execution Time'?: number
}

async function explain(client: SqlClient, how: string, text: string, params: unknown[]): Promise<Explained> {
  const { rows } = await client.query(`explain (${how}, format json) ${text}`, params)
  const plans = rows[0]?.['QUERY PLAN'] as Explained[] | undefined
  if (plans?.[0] === undefined) throw new Error('Postgres gave no plan')
  return plans[0]
}

const EXPLAINABLE = /^\s*(select|insert|update|delete|merge|with|values)\b/i

/**
 * Looks at the plan of each declared query on a filled database: `EXPLAIN (ANALYZE)` with real parameters for what
 * runs, `EXPLAIN (GENERIC_PLAN)` for queries with placeholders. All in transactions that are rolled back.
 */
export async function examineQueries(options: ExamineOptions): Promise<Examined[]> {
  const { client, queries = criticalQueries() } = options
  const limits: PlanLimits = {
    bigTable: options.bigTable ?? LIMITS.bigTable,
    rows: options.rows ?? LIMITS.rows,
    estimate: options.estimate ?? LIMITS.estimate,
  }
  const sizes = await sizesOf(client)
  const pick = picker(client)
  const found: Examined[] = []

  for (const { name, source } of queries) {
    // Applications answer errors in their own way: the first is kept, to be told.
    let failure: unknown
    const look = async (text: string, params: readonly unknown[]): Promise<void> => {
      if (!EXPLAINABLE.test(text)) return
      const generic = params.some((param) => typeof param === 'object' && param instanceof Placeholder)
      const how = generic ? 'generic_plan' : 'analyze, timing off'
      const got = await explain(client, how, text, generic ? [] : [...params]).catch((error: unknown) => {
        failure ??= error
        throw error
      })
      const times = [got['Planning Time'], got['Execution Time']]
      found.push({
        name,
        statement: fingerprint(text),
        plan: planText(got.Plan),
        milliseconds: generic ? undefined : times.reduce<number>((sum, time) => sum + (time ?? 0), 0),
        faults: judgePlan(got.Plan, sizes, limits),
      })
    }
    await client.query('begin')
    try {
      const before = found.length
      const made = typeof source === 'function' ? await source(watched(client, look), pick) : source
      if (found.length === before && isQuery(made)) {
        const { sql: text, params } = dialect.sqlToQuery(sql`${made}`)
        await look(text.replace(/^\((.*)\)$/s, '$1'), params)
      }
      if (failure !== undefined) {
        throw new Error(`The critical query ${name} fails: ${(failure as Error).message}`, { cause: failure })
      }
      if (found.length === before) throw new Error(`The critical query ${name} sent no statement`)
    } finally {
      await client.query('rollback')
    }
  }
  return found
}

const isQuery = (value: unknown): value is ReturnType<typeof sql> =>
  typeof value === 'object' && value !== null && 'getSQL' in value

/** A database over one connection in a transaction: each statement is looked at, undone, and then run. */
function watched(
  client: SqlClient,
  look: (sql: string, params: readonly unknown[]) => Promise<void>,
): AnyDatabase {
  let line: Promise<unknown> = Promise.resolve()
  const run = (statement: Statement): Promise<Result> => {
    const turn = line.then(async () => {
      const { sql: text, params, arrayMode } = statement
      await client.query('savepoint look')
      await look(text, params)
      await client.query('rollback to savepoint look')
      const config = { text, values: [...params], types: typeParsers, ...(arrayMode && { rowMode: 'array' }) }
      return (await client.query(config as never)) as unknown as Result
    })
    line = turn.catch(() => {})
    return turn
  }
  const batch = async (statements: readonly Statement[]): Promise<Result[]> => {
    const results: Result[] = []
    for (const statement of statements) results.push(await run(statement))
    return results
  }
  const nothing = async (): Promise<void> => {}
  const connection = {
    run,
    single: run,
    batch,
    begin: nothing,
    commit: nothing,
    rollback: nothing,
    close: nothing,
  }
  const driver = { transport: { run, batch }, connect: async () => ({ ...connection, usable: true }) }
  return databaseOver(driver, { statement: 60_000, lock: 5000 }) as unknown as AnyDatabase
}

/**
 * Throws when the plan of any declared query is at fault: a sequential scan of a big table, a sort that an index
 * would give, rows read for nothing, an estimate off by orders of magnitude. Gives back what was examined.
 *
 * @throws Error that names each query with its faults and its plan
 */
export async function requireGoodPlans(options: ExamineOptions): Promise<Examined[]> {
  const examined = await examineQueries(options)
  const bad = examined.filter(({ faults }) => faults.length > 0)
  if (bad.length > 0) {
    const text = bad.map(
      ({ name, statement, faults, plan }) =>
        `${name}: ${faults.map(({ message }) => message).join('; ')}\n  ${statement}\n${plan.replace(/^/gm, '    ')}`,
    )
    throw new Error(`${bad.length} of ${examined.length} plans are at fault:\n${text.join('\n')}`)
  }
  return examined
}
