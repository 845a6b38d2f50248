import { currentWork, type Work } from '../core/index.ts'
import type { Driver } from './database.ts'
import type { BatchOptions } from './http.ts'
import type { Transport } from './transport.ts'

/** Units of work that have changed something, or tried to: they read from the primary from then on. */
const written = new WeakSet<Work>()

/**
 * Makes the current unit of work read from the primary from here on, although it has written nothing itself: for a
 * person who changed something in the request before, until the replica has surely caught up.
 *
 * @example
 * ```ts
 * if (Date.now() - lastWrite(c) < 5_000) readFromPrimary()
 * ```
 */
export function readFromPrimary(): void {
  const work = currentWork()
  if (work !== undefined) written.add(work)
}

/** Whether the current unit of work has changed something, so that the caller can remember it for the next request. */
export function hasWritten(): boolean {
  const work = currentWork()
  return work !== undefined && written.has(work)
}

/**
 * Plain selects go to the replica, everything else to the primary. Marked before the statement is sent: a change in
 * doubt counts as one. Outside of a unit of work nothing is known of earlier changes, so all goes to the primary.
 */
export function withReplica(primary: Driver, replica: Transport<BatchOptions>): Driver {
  return {
    transport: {
      run(statement) {
        const work = currentWork()
        if (statement.readOnly && work !== undefined && !written.has(work)) return replica.run(statement)
        if (!statement.readOnly) readFromPrimary()
        return primary.transport.run(statement)
      },
      batch(statements, options) {
        if (options?.readOnly !== true && !statements.every((one) => one.readOnly)) readFromPrimary()
        return primary.transport.batch(statements, options)
      },
    },
    connect(timeout) {
      readFromPrimary()
      return primary.connect(timeout)
    },
  }
}
