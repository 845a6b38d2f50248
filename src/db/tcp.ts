import { currentWork, type Work } from '../core/index.ts'
import { type Connection, openConnection, type PgClient } from './connection.ts'
import type { Driver } from './database.ts'
import { isPostgresError } from './errors.ts'
import type { BatchOptions } from './http.ts'
import { backOff, remaining } from './limits.ts'
import { beginSql } from './transaction.ts'
import type { Statement } from './transport.ts'

/** How long a connection waits for the next statement of its work, in milliseconds. */
const IDLE = 100

interface Held {
  readonly opening: Promise<Connection>
  users: number
  timer?: ReturnType<typeof setTimeout>
}

/**
 * Statements over Postgres's own protocol, by `pg`: through Hyperdrive, a pooler, or straight. A unit of work has one
 * connection, made with its first statement and closed when none has come for a moment; without a unit of work each
 * statement has its own. Only unnamed prepared statements are used and nothing is `SET` outside of a transaction, so
 * it is right behind a pooler in transaction mode.
 */
export function createTcp(make: (milliseconds: number) => PgClient, timeout: number): Driver {
  const held = new WeakMap<Work, Held>()
  const connect = (milliseconds: number): Promise<Connection> => openConnection(make, milliseconds, 'tcp')

  /** Nothing was asked of a connection that could not be made, so another may be tried. */
  async function open(): Promise<Connection> {
    try {
      return await connect(timeout)
    } catch (error) {
      if (!isPostgresError(error, 'unavailable') || remaining(timeout) <= 500) throw error
      await backOff(1, 100, 100)
      return connect(timeout)
    }
  }

  async function withConnection<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    const work = currentWork()
    if (work === undefined) {
      const connection = await open()
      try {
        return await use(connection)
      } finally {
        await connection.close()
      }
    }
    let mine = held.get(work)
    if (mine === undefined) {
      mine = { opening: open(), users: 0 }
      held.set(work, mine)
    }
    const { opening } = mine
    clearTimeout(mine.timer)
    mine.users++
    const drop = (): void => {
      if (held.get(work)?.opening === opening) held.delete(work)
    }
    try {
      const connection = await opening
      try {
        return await use(connection)
      } finally {
        if (!connection.usable) drop()
      }
    } catch (error) {
      await opening.catch(drop)
      throw error
    } finally {
      mine.users--
      if (mine.users === 0) {
        mine.timer = setTimeout(() => {
          drop()
          void opening.then((connection) => connection.close()).catch(() => {})
        }, IDLE)
      }
    }
  }

  // Batches of one work must not mix their statements on the one line, nor with others'.
  const together = async (statements: readonly Statement[], options: BatchOptions) => {
    const connection = await open()
    try {
      const readOnly = options.readOnly === true || statements.every((statement) => statement.readOnly)
      await connection.begin({ begin: beginSql(options, { statement: timeout, lock: timeout }), readOnly })
      try {
        const results = await connection.batch(statements)
        await connection.commit()
        return results
      } catch (error) {
        await connection.rollback()
        throw error
      }
    } finally {
      const closing = connection.close()
      const work = currentWork()
      if (work === undefined) await closing
      else work.waitUntil(closing)
    }
  }

  return {
    transport: {
      run: (statement) => withConnection((connection) => connection.single(statement)),
      batch: (statements, options = {}) =>
        statements.length === 0 ? Promise.resolve([]) : together(statements, options),
    },
    connect,
  }
}
