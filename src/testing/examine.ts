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
  /** Which rows `pick` finds: for another number, others. Default 0. */
  readonly seed?: number
  /** How often each statement runs; the shortest time counts, so that caches are warm. Default 1. */
  readonly runs?: number
}

const dialect = new PgDialect()

async function sizesOf(client: SqlClient): Promise<Map<string, number>> {
  const { rows } = await client.query(
    `select relname as name, greatest(reltuples, 0)::bigint::text as rows from pg_class where relkind in ('r', 'p', 'm')`,
  )
  return new Map(rows.map((row) => [String(row['name']), Number(row['rows'])]))
}

// Its multiples are spread evenly, however many there are.
const GOLDEN = 0.6180339887498949

/** Finds values all over a table, by where its rows lie, so that each call gives another one that is there. */
function picker(client: SqlClient, seed: number): PickValue {
  const given = new Map<AnyPgColumn, number>()
  return async function pick<T>(column: AnyPgColumn): Promise<T> {
    const table = tableName(column)
    const at = given.get(column) ?? 0
    given.set(column, at + 1)
    const { rows: sizes } = await client.query(
      'select greatest(relpages, 1) as pages from pg_class where oid = $1::regclass',
      [table],
    )
    const share = (0.5 + GOLDEN * (at + 101 * seed)) % 1
    const page = Math.floor(Number(sizes[0]?.['pages']) * share)
    for (const from of [page, 0]) {
      const query = dialect.sqlToQuery(
        sql`select ${column} as value from ${column.table}
          where ctid >= ${`(${from},1)`}::tid and ${column} is not null limit 1`,
      )
      const { rows } = await client.query(query.sql, query.params)
      if (rows[0] !== undefined) return rows[0]['value'] as T
    }
    throw new Error(`${table} has no value for ${column.name}: fill it first`)
  }
}

const tableName = (column: AnyPgColumn): string => dialect.sqlToQuery(sql`${column.table}`).sql

interface Explained {
  readonly Plan: PlanNode
  readonly 'Planning Time'?: number
  readonly 'Execution Time'?: number
}

const timeOf = (one: Explained): number => (one['Planning Time'] ?? 0) + (one['Execution Time'] ?? 0)

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
  const { client, queries = criticalQueries(), runs = 1 } = options
  const limits: PlanLimits = {
    bigTable: options.bigTable ?? LIMITS.bigTable,
    rows: options.rows ?? LIMITS.rows,
    estimate: options.estimate ?? LIMITS.estimate,
  }
  const sizes = await sizesOf(client)
  const pick = picker(client, options.seed ?? 0)
  const found: Examined[] = []

  for (const { name, source } of queries) {
    // Applications answer errors in their own way: the first is kept, to be told.
    let failure: unknown
    const look = async (text: string, params: readonly unknown[]): Promise<void> => {
      if (!EXPLAINABLE.test(text)) return
      const generic = params.some((param) => typeof param === 'object' && param instanceof Placeholder)
      const how = generic ? 'generic_plan' : 'analyze, timing off'
      let best: Explained | undefined
      for (let run = 0; run < (generic ? 1 : runs); run++) {
        await client.query('savepoint look')
        const got = await explain(client, how, text, generic ? [] : [...params]).catch((error: unknown) => {
          failure ??= error
          throw error
        })
        await client.query('rollback to savepoint look')
        if (best === undefined || timeOf(got) < timeOf(best)) best = got
      }
      if (best === undefined) throw new TypeError('runs must be 1 at least')
      found.push({
        name,
        statement: fingerprint(text),
        plan: planText(best.Plan),
        milliseconds: generic ? undefined : timeOf(best),
        faults: judgePlan(best.Plan, sizes, limits),
      })
    }
    await client.query('begin')
    try {
      const before = found.length
      const made =
        typeof source === 'function'
          ? await Promise.resolve(source(watched(client, look), pick)).catch((error: unknown) => {
              // In a transaction that has failed everything fails: what came first is to be told.
              failure ??= error
            })
          : source
      if (failure === undefined && found.length === before && isQuery(made)) {
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
      await look(text, params)
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
