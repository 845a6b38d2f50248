import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import type { SQLWrapper } from 'drizzle-orm/sql'
import type { AnyDatabase } from './queryable.ts'

/** Gives a value that a column really has, for the parameters of a declared query. */
export type PickValue = <T = string>(column: AnyPgColumn) => Promise<T>

/** A query as it is declared: itself, or a function that makes it, or runs it, on the database it is given. */
export type CriticalSource = SQLWrapper | ((db: AnyDatabase, pick: PickValue) => unknown)

/** What {@link critical} keeps. */
export interface CriticalQuery {
  readonly name: string
  readonly source: CriticalSource
}

const declared: CriticalQuery[] = []

/**
 * Declares a query that must stay fast however large its tables grow, where it is written. `examineQueries` of
 * `breakwater/testing` looks at its plan on a filled database. Costs nothing at run time, and gives back what it was
 * given.
 *
 * @param name Stable and unique, such as `orders.latest`.
 * @param query A Drizzle query, with `sql.placeholder()` where values go; or a function. The function is given a
 * database and `pick`, which finds a value for a parameter; every statement it sends there is looked at, and undone.
 * @throws TypeError when the name is taken by another query
 *
 * @example
 * ```ts
 * export const latestOrders = critical('orders.latest', (db: AnyDatabase, pick: PickValue) =>
 *   pick(orders.customerId).then((id) => listOrders(db, id)))
 * ```
 */
export function critical<Q extends CriticalSource>(name: string, query: Q): Q {
  return declareInto(declared)(name, query)
}

/**
 * {@link critical}, into a list of one's own. The SDK's rooms declare theirs so, each in its `critical.ts`: nothing at
 * the edge imports those, and an application's tests do not run into them.
 */
export function declareInto(list: CriticalQuery[]): <Q extends CriticalSource>(name: string, query: Q) => Q {
  return (name, source) => {
    if (!/^[\w.:-]{1,100}$/.test(name))
      throw new TypeError('a critical query is named in letters, digits and .-_:')
    if (list.some((one) => one.name === name))
      throw new TypeError(`there are two critical queries called ${name}`)
    list.push({ name, source })
    return source
  }
}

/** Every query declared so far, in the order of declaration: import the modules that declare them first. */
export function criticalQueries(): CriticalQuery[] {
  return [...declared]
}
