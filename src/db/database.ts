import { type Casing, createTableRelationsHelpers, extractTablesRelationalConfig } from 'drizzle-orm'
import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import { PgDatabase, PgDialect } from 'drizzle-orm/pg-core'
import type { ExtractTablesWithRelations } from 'drizzle-orm/relations'
import { type Duration, milliseconds } from '../core/index.ts'
import { type Address, addressOf } from './endpoint.ts'
import { type BatchOptions, createHttpTransport } from './http.ts'
import { type QueryResult, Session } from './session.ts'
import {
  runTransaction,
  type Transaction,
  type TransactionLimits,
  type TransactionOptions,
} from './transaction.ts'

/** Options of {@link createDatabase}. */
export interface DatabaseOptions<TSchema extends Record<string, unknown> = Record<string, never>> {
  /** `postgresql://user:password@host/database`; on Neon the pooled one, whose host ends in `-pooler`. */
  readonly url: string
  /** Base URL of a local Neon stand-in, such as `http://127.0.0.1:8702`. Absent, or empty, in production. */
  readonly endpoint?: string | undefined
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

type Schema<T extends Record<string, unknown>> = ExtractTablesWithRelations<T>
type SchemaArgument = ConstructorParameters<typeof Session>[2]

/**
 * A Drizzle database on Neon. A statement, or a batch, is one round trip over HTTP; only `transaction()` opens a
 * WebSocket, for as long as it lasts. It holds no connection, so it may live at module scope.
 */
export class Database<TSchema extends Record<string, unknown> = Record<string, never>> extends PgDatabase<
  QueryResult,
  TSchema,
  Schema<TSchema>
> {
  readonly #address: Address
  readonly #dialect: PgDialect
  readonly #session: Session<BatchOptions>
  readonly #schema: SchemaArgument
  readonly #limits: TransactionLimits

  constructor(
    address: Address,
    dialect: PgDialect,
    session: Session<BatchOptions>,
    schema: SchemaArgument,
    limits: TransactionLimits,
  ) {
    super(dialect, session as never, schema as never)
    this.#address = address
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
      this.#address,
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

/**
 * Makes a {@link Database}.
 *
 * Failures are {@link PostgresError}s, which name constraint, table and column and hold no values. A statement that
 * never reached Postgres is sent again, twice at most; so is a plain select whose answer was lost.
 *
 * @throws TypeError when the options are wrong
 */
export function createDatabase<TSchema extends Record<string, unknown> = Record<string, never>>(
  options: DatabaseOptions<TSchema>,
): Database<TSchema> {
  const address = addressOf(options.url, options.endpoint)
  const limits = {
    statement: limit('timeout', options.timeout ?? '15 s'),
    lock: limit('lockTimeout', options.lockTimeout ?? '5 s'),
  }
  const dialect = new PgDialect({ casing: options.casing as Casing })
  const tables = options.schema && extractTablesRelationalConfig(options.schema, createTableRelationsHelpers)
  const schema =
    tables &&
    ({
      fullSchema: options.schema,
      schema: tables.tables,
      tableNamesMap: tables.tableNamesMap,
    } as unknown as SchemaArgument)
  const session = new Session(createHttpTransport(address, limits.statement), dialect, schema)
  return new Database<TSchema>(address, dialect, session, schema, limits)
}
