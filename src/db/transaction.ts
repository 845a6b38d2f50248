import { sql } from 'drizzle-orm'
import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import { type PgDialect, PgTransaction } from 'drizzle-orm/pg-core'
import type { ExtractTablesWithRelations } from 'drizzle-orm/relations'
import { currentWork } from '../core/index.ts'
import type { Connection } from './connection.ts'
import { isPostgresError } from './errors.ts'
import type { Isolation } from './http.ts'
import { backOff, remaining } from './limits.ts'
import { type QueryResult, Session } from './session.ts'
import type { Transport } from './transport.ts'

/** Options of `transaction()`. */
export interface TransactionOptions {
  /** Default: the database's own, `read committed`. */
  readonly isolation?: Isolation
  /** Refuses changes. Default false. */
  readonly readOnly?: boolean
  /** Waits for a snapshot that cannot fail; only with `serializable` and `readOnly`. Default false. */
  readonly deferrable?: boolean
  /**
   * Declares that the function may run more than once: after a serialization failure or a deadlock it runs anew, in
   * a new transaction. `true` is three attempts in all; a number is that many. Default: one attempt.
   */
  readonly retry?: boolean | number
}

/** Time limits of a transaction, in milliseconds. */
export interface TransactionLimits {
  readonly statement: number
  readonly lock: number
}

type Schema<T extends Record<string, unknown>> = ExtractTablesWithRelations<T>
type SchemaArgument = ConstructorParameters<typeof PgTransaction>[2]

/** A transaction under way: a Drizzle database object that must not be used once the transaction is over. */
export class Transaction<
  TSchema extends Record<string, unknown> = Record<string, never>,
> extends PgTransaction<QueryResult, TSchema, Schema<TSchema>> {
  readonly #dialect: PgDialect
  readonly #session: Session<undefined>
  readonly #depth: number
  readonly #committed: (() => unknown)[] = []

  constructor(dialect: PgDialect, session: Session<undefined>, schema: SchemaArgument, depth: number = 0) {
    super(dialect, session as never, schema as never, depth)
    this.#dialect = dialect
    this.#session = session
    this.#depth = depth
  }

  /**
   * Has `fn` called once the whole transaction has committed, and never when it, or the savepoint this is of, was
   * undone: the place to tell others of what is now true. A promise that it returns is not waited for; its rejection
   * is the unit of work's to report.
   */
  onCommit(fn: () => unknown): void {
    this.#committed.push(fn)
  }

  /** What {@link onCommit} was given, for whoever commits. */
  takeCommitted(): (() => unknown)[] {
    return this.#committed.splice(0)
  }

  /** Runs queries one after another, for services that are given either a database or a transaction. */
  batch<U extends BatchItem<'pg'>, T extends Readonly<[U, ...U[]]>>(queries: T): Promise<BatchResponse<T>> {
    return this.#session.batch(queries)
  }

  /** A transaction inside the transaction, by a savepoint: when `fn` throws, only what it did is undone. */
  override async transaction<T>(fn: (tx: Transaction<TSchema>) => Promise<T>): Promise<T> {
    const depth = this.#depth + 1
    const savepoint = sql.identifier(`sp${depth}`)
    const inner = new Transaction<TSchema>(this.#dialect, this.#session, this.schema as never, depth)
    await this.execute(sql`savepoint ${savepoint}`)
    try {
      const value = await fn(inner)
      await this.execute(sql`release savepoint ${savepoint}`)
      this.#committed.push(...inner.takeCommitted())
      return value
    } catch (error) {
      // When the line is broken there is nothing to go back to, and the first error tells more.
      await this.execute(sql`rollback to savepoint ${savepoint}`).catch(() => {})
      throw error
    }
  }
}

/** What opens a transaction, its limits included. */
export function beginSql(options: TransactionOptions, limits: TransactionLimits): string {
  const modes = [
    options.isolation === undefined ? '' : `isolation level ${options.isolation}`,
    options.readOnly === true ? 'read only' : '',
    options.deferrable === true ? 'deferrable' : '',
  ].filter((mode) => mode !== '')
  const statement = Math.max(1, Math.ceil(remaining(limits.statement)))
  const lock = Math.min(statement, limits.lock)
  // SET LOCAL, since behind a pooler any other setting is the next client's too. The third limit frees the locks of
  // a transaction whose worker has died.
  return [
    `begin ${modes.join(', ')}`,
    `set local statement_timeout = ${statement}`,
    `set local lock_timeout = ${lock}`,
    `set local idle_in_transaction_session_timeout = ${limits.statement}`,
  ].join('; ')
}

/** Lets statements through until the transaction is over. */
function gate(connection: Connection): Transport<undefined> & { shut(): void } {
  let over = false
  const check = (): void => {
    if (over) {
      throw new Error(
        'This transaction is over: a statement was made with its handle after the function given to transaction() had ended. Await every statement inside it.',
      )
    }
  }
  return {
    shut() {
      over = true
    },
    async run(statement) {
      check()
      return connection.run(statement)
    },
    async batch(statements) {
      check()
      return connection.batch(statements)
    },
  }
}

async function attempt<TSchema extends Record<string, unknown>, T>(
  connection: Connection,
  dialect: PgDialect,
  schema: SchemaArgument,
  fn: (tx: Transaction<TSchema>) => Promise<T>,
  options: TransactionOptions,
  limits: TransactionLimits,
): Promise<T> {
  await connection.begin({ begin: beginSql(options, limits), readOnly: options.readOnly === true })
  const gated = gate(connection)
  const tx = new Transaction<TSchema>(dialect, new Session(gated, dialect, schema as never), schema)
  let value: T
  try {
    value = await fn(tx)
    gated.shut()
    await connection.commit()
  } catch (error) {
    gated.shut()
    await connection.rollback()
    throw error
  }
  for (const tell of tx.takeCommitted()) inform(tell)
  return value
}

/** What is told of a commit cannot undo it: a failure is reported, and that is all. */
function inform(tell: () => unknown): void {
  const told = new Promise((resolve) => resolve(tell()))
  const work = currentWork()
  if (work === undefined) told.catch(() => {})
  else work.waitUntil(told)
}

/** Whether running the whole transaction anew may end better. Looks through errors that a service has wrapped. */
function mayRepeat(error: unknown): boolean {
  for (let at = error, depth = 0; at != null && depth < 4; depth++) {
    if (isPostgresError(at, 'serialization-failure') || isPostgresError(at, 'deadlock')) return true
    at = (at as { cause?: unknown }).cause
  }
  return false
}

function attemptsOf(retry: boolean | number | undefined): number {
  return retry === true ? 3 : typeof retry === 'number' ? Math.max(1, Math.floor(retry)) : 1
}

/** Opens a connection whose statements may take so many milliseconds. */
export type Connect = (timeout: number) => Promise<Connection>

/** Opens a connection; tried once more when it could not be made, since nothing was done yet. */
async function open(connect: Connect, timeout: number): Promise<Connection> {
  try {
    return await connect(timeout)
  } catch (error) {
    if (!isPostgresError(error, 'unavailable') || remaining(timeout) <= 500) throw error
    await backOff(1, 100, 100)
    return connect(timeout)
  }
}

/** Runs `fn` in a transaction over a connection that lives no longer than this. */
export async function runTransaction<TSchema extends Record<string, unknown>, T>(
  connect: Connect,
  dialect: PgDialect,
  schema: SchemaArgument,
  fn: (tx: Transaction<TSchema>) => Promise<T>,
  options: TransactionOptions,
  limits: TransactionLimits,
): Promise<T> {
  const attempts = attemptsOf(options.retry)
  let connection = await open(connect, limits.statement)
  try {
    for (let n = 1; ; n++) {
      try {
        return await attempt(connection, dialect, schema, fn, options, limits)
      } catch (error) {
        if (n >= attempts || !mayRepeat(error) || remaining(limits.statement) <= 0) throw error
      }
      await backOff(n, 20, 500)
      if (!connection.usable) connection = await open(connect, limits.statement)
    }
  } finally {
    // The answer does not wait for the goodbye.
    const closing = connection.close()
    const work = currentWork()
    if (work === undefined) await closing
    else work.waitUntil(closing)
  }
}
