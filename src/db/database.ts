import { type Casing, createTableRelationsHelpers, extractTablesRelationalConfig } from 'drizzle-orm'
import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import { PgDatabase, PgDialect } from 'drizzle-orm/pg-core'
import type { ExtractTablesWithRelations } from 'drizzle-orm/relations'
import { type Duration, milliseconds } from '../core/index.ts'
import { withCircuit } from './circuit.ts'
import type { PgClient } from './connection.ts'
import { addressOf } from './endpoint.ts'
import { type BatchOptions, createHttpTransport } from './http.ts'
import { withReplica } from './replica.ts'
import { type QueryResult, Session } from './session.ts'
import { createTcp } from './tcp.ts'
import {
  type Connect,
  runTransaction,
  type Transaction,
  type TransactionLimits,
  type TransactionOptions,
} from './transaction.ts'
import type { Transport } from './transport.ts'
import { connect } from './websocket.ts'

/** Options of {@link createDatabase}. */
export interface DatabaseOptions<TSchema extends Record<string, unknown> = Record<string, never>> {
  /**
   * `postgresql://user:password@host/database`; on Neon the pooled one, whose host ends in `-pooler`. A function is
   * called with the first statement: `() => env.HYPERDRIVE.connectionString` can only be read inside a request.
   */
  readonly url: string | (() => string)
  /**
   * A read replica's URL. Plain selects go there until the unit of work has changed something, and to the primary from
   * then on. Transactions, batches and statements written by hand always go to the primary. Default: none.
   */
  readonly replica?: string | undefined
  /** Base URL of a local Neon stand-in, such as `http://127.0.0.1:8702`. Absent, or empty, in production. */
  readonly endpoint?: string | undefined
  /**
   * The `Client` class of `pg`: statements then go over Postgres's own protocol instead of Neon's, for Hyperdrive
   * (`url: () => env.HYPERDRIVE.connectionString`) or any Postgres. Default: Neon's protocols.
   */
  readonly client?: PgClientClass | undefined
  /** Tables and relations, for `db.query`. Not needed for anything else. */
  readonly schema?: TSchema
  /** How names of columns that were declared without one are written. Default: as in the code. */
  readonly casing?: 'snake_case' | 'camelCase'
  /**
   * How long one statement, or one batch, may take. The current work's deadline shortens it; in a transaction the
   * server keeps it by `statement_timeout`. Default 15 s.
   */
  readonly timeout?: Duration
  /** How long a statement in a transaction may wait for a lock. Default 5 s. */
  readonly lockTimeout?: Duration
}

/** What `import { Client } from 'pg'` gives. */
export type PgClientClass = new (options: {
  connectionString: string
  connectionTimeoutMillis: number
}) => object

type Schema<T extends Record<string, unknown>> = ExtractTablesWithRelations<T>
type SchemaArgument = ConstructorParameters<typeof Session>[2]

/** How statements travel: one by one, and in transactions. */
export interface Driver {
  readonly transport: Transport<BatchOptions>
  readonly connect: Connect
}

/**
 * A Drizzle database. On Neon a statement, or a batch, is one round trip over HTTP; only `transaction()` opens a
 * WebSocket, for as long as it lasts. It holds no connection, so it may live at module scope.
 */
export class Database<TSchema extends Record<string, unknown> = Record<string, never>> extends PgDatabase<
  QueryResult,
  TSchema,
  Schema<TSchema>
> {
  readonly #connect: Connect
  readonly #dialect: PgDialect
  readonly #session: Session<BatchOptions>
  readonly #schema: SchemaArgument
  readonly #limits: TransactionLimits

  constructor(driver: Driver, dialect: PgDialect, schema: SchemaArgument, limits: TransactionLimits) {
    const session = new Session(driver.transport, dialect, schema)
    super(dialect, session as never, schema as never)
    this.#connect = driver.connect
    this.#dialect = dialect
    this.#session = session
    this.#schema = schema
    this.#limits = limits
  }

  /** Runs queries in one transaction and one round trip; all of them happen, or none. */
  batch<U extends BatchItem<'pg'>, T extends Readonly<[U, ...U[]]>>(
    queries: T,
    options?: BatchOptions,
  ): Promise<BatchResponse<T>> {
    return this.#session.batch(queries, options)
  }

  /**
   * Runs `fn` in a transaction: committed when it returns, undone when it throws. Use it where a later statement
   * depends on an earlier one's answer; {@link Database.batch} is cheaper where none does.
   *
   * @throws PostgresError `outcome-unknown` when the line broke while committing
   */
  override transaction<T>(
    fn: (tx: Transaction<TSchema>) => Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    return runTransaction<TSchema, T>(
      this.#connect,
      this.#dialect,
      this.#schema as never,
      fn,
      options,
      this.#limits,
    )
  }
}

function limit(name: string, duration: Duration): number {
  const value = Math.ceil(milliseconds(duration))
  if (value < 1) throw new TypeError(`${name} must be longer than nothing`)
  return value
}

/** How to get to one server whose address is not known yet. */
function later(make: () => Driver): Driver {
  let made: Driver | undefined
  const driver = (): Driver => {
    made ??= make()
    return made
  }
  return {
    transport: {
      run: async (statement) => driver().transport.run(statement),
      batch: async (statements, options) => driver().transport.batch(statements, options),
    },
    connect: async (timeout) => driver().connect(timeout),
  }
}

/** How to get to one server. */
function driverOf(url: string | (() => string), options: DatabaseOptions<never>, timeout: number): Driver {
  if (typeof url === 'function') return later(() => driverOf(url(), options, timeout))
  const { client: Client } = options
  if (Client === undefined) {
    const address = addressOf(url, options.endpoint)
    const driver: Driver = {
      transport: createHttpTransport(address, timeout),
      connect: (milliseconds) => connect(address, milliseconds),
    }
    return withCircuit(driver, address.url)
  }
  if (options.endpoint) throw new TypeError('endpoint is for Neon, client for everything else: give one')
  const { url: connectionString } = addressOf(url, undefined)
  const driver = createTcp(
    (connectionTimeoutMillis) => new Client({ connectionString, connectionTimeoutMillis }) as PgClient,
    timeout,
  )
  return withCircuit(driver, url)
}

/**
 * Makes a {@link Database}.
 *
 * Failures are {@link PostgresError}s, which name constraint, table and column and hold no values. A statement that
 * never reached Postgres is sent again, twice at most; so is a plain select whose answer was lost. While the server is
 * out a circuit breaker, `postgres@host`, refuses at once: `dependency-unavailable` (503) with `Retry-After`.
 *
 * @throws TypeError when the options are wrong
 */
export function createDatabase<TSchema extends Record<string, unknown> = Record<string, never>>(
  options: DatabaseOptions<TSchema>,
): Database<TSchema> {
  const limits = {
    statement: limit('timeout', options.timeout ?? '15 s'),
    lock: limit('lockTimeout', options.lockTimeout ?? '5 s'),
  }
  let driver = driverOf(options.url, options as DatabaseOptions<never>, limits.statement)
  if (options.replica !== undefined && options.replica !== '') {
    const replica = driverOf(options.replica, options as DatabaseOptions<never>, limits.statement)
    driver = withReplica(driver, replica.transport)
  }
  return databaseOver<TSchema>(driver, limits, options)
}

/** A {@link Database} whose statements travel by any driver. */
export function databaseOver<TSchema extends Record<string, unknown> = Record<string, never>>(
  driver: Driver,
  limits: TransactionLimits,
  options: Pick<DatabaseOptions<TSchema>, 'schema' | 'casing'> = {},
): Database<TSchema> {
  const dialect = new PgDialect({ casing: options.casing as Casing })
  const tables = options.schema && extractTablesRelationalConfig(options.schema, createTableRelationsHelpers)
  const schema =
    tables &&
    ({
      fullSchema: options.schema,
      schema: tables.tables,
      tableNamesMap: tables.tableNamesMap,
    } as unknown as SchemaArgument)
  return new Database<TSchema>(driver, dialect, schema, limits)
}
