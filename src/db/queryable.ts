import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import type { PgDatabase } from 'drizzle-orm/pg-core'
import type { ExtractTablesWithRelations } from 'drizzle-orm/relations'
import type { QueryResult } from './session.ts'
import type { TransactionOptions } from './transaction.ts'

type Common = Pick<
  PgDatabase<QueryResult>,
  | 'select'
  | 'selectDistinct'
  | 'selectDistinctOn'
  | 'insert'
  | 'update'
  | 'delete'
  | 'execute'
  | 'with'
  | '$with'
  | '$count'
> & {
  /** Runs queries together; all of them happen, or none. */
  batch<U extends BatchItem<'pg'>, T extends Readonly<[U, ...U[]]>>(queries: T): Promise<BatchResponse<T>>
}

/**
 * What a database and a transaction have in common, for services that work in either. Without a schema it takes
 * those of any schema, and has no `query`.
 */
export type Queryable<TSchema extends Record<string, unknown> = never> = [TSchema] extends [never]
  ? Common
  : Common & Pick<PgDatabase<QueryResult, TSchema, ExtractTablesWithRelations<TSchema>>, 'query'>

/** A database of any schema, for services that open transactions of their own. */
export type AnyDatabase = Queryable & {
  /** Runs `fn` in a transaction: committed when it returns, undone when it throws. */
  transaction<T>(fn: (tx: Queryable) => Promise<T>, options?: TransactionOptions): Promise<T>
}
