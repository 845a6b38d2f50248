import { type Breaker, breaker } from '../core/breaker.ts'
import { currentWork, isBreakwaterError } from '../core/index.ts'
import type { Driver } from './database.ts'
import { isPostgresError } from './errors.ts'
import { remaining } from './limits.ts'

/**
 * Whether an error says that the server is out. What Postgres answered to a statement says that it is not, and a caller
 * who went away says nothing.
 */
function isOutage(error: unknown): boolean {
  if (!isPostgresError(error)) return false
  const { signal } = currentWork() ?? {}
  if (signal?.aborted && !isBreakwaterError(signal.reason)) return false
  if (error.failure === 'unavailable') return true
  return error.sqlState === undefined && (error.failure === 'timeout' || error.failure === 'outcome-unknown')
}

/** The circuit of a server: one for all its databases, roles and clients in this isolate. */
function circuitOf(url: string): Breaker {
  return breaker(`postgres@${new URL(url).host}`, { isFailure: isOutage })
}

/** The same driver; when its server is out, it refuses at once instead of letting each caller wait. */
export function withCircuit(driver: Driver, url: string): Driver {
  const circuit = circuitOf(url)
  // When no time is left, nothing will be asked: no news of the server.
  const run = <T>(fn: () => Promise<T>): Promise<T> => (remaining(1) > 0 ? circuit.run(fn) : fn())
  const { transport } = driver
  return {
    transport: {
      run: (statement) => run(() => transport.run(statement)),
      batch: (statements, options) =>
        statements.length === 0 ? Promise.resolve([]) : run(() => transport.batch(statements, options)),
    },
    connect: (timeout) => run(() => driver.connect(timeout)),
  }
}
