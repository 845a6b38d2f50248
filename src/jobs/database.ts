import type { PgDatabase, PgQueryResultHKT, PgTransaction } from 'drizzle-orm/pg-core'

// Neon's HTTP and WebSocket drivers and node-postgres differ in the types of raw results, which jobs never look at.
// biome-ignore lint/suspicious/noExplicitAny: the schema's type parameters are invariant; jobs use none of them.
type Any = any

/** The database, as jobs use it: Drizzle over any Postgres driver that has transactions. */
export type JobsDatabase = Pick<
  PgDatabase<PgQueryResultHKT, Any, Any>,
  'insert' | 'update' | 'delete' | 'select' | 'execute'
> & {
  transaction<T>(fn: (tx: Any) => Promise<T>): Promise<T>
}

/** A transaction of {@link JobsDatabase}. */
export type JobsTransaction = Pick<
  PgTransaction<PgQueryResultHKT, Any, Any>,
  | 'insert'
  | 'update'
  | 'delete'
  | 'select'
  | 'selectDistinct'
  | 'execute'
  | 'with'
  | '$with'
  | '$count'
  | 'transaction'
> & {
  /** Calls back once the transaction has committed, as those of `breakwater/db` do. Without it the relay sends. */
  onCommit?(fn: () => unknown): void
}

/** The rows of a statement in plain SQL: drivers hand them out bare, or in an object. */
export function rowsOf<T>(result: unknown): T[] {
  return (Array.isArray(result) ? result : (result as { readonly rows: T[] }).rows) as T[]
}

/** Identifiers as one parameter, an array's text: as parameters of their own they cost more than the statement. */
export function arrayOf(ids: readonly string[]): string {
  return `{${ids.join(',')}}`
}
