import { type HTTPTransactionOptions, neon } from '@neondatabase/serverless'
import { classify, worthAnother } from './classify.ts'
import type { Address } from './endpoint.ts'
import { PostgresError } from './errors.ts'
import { fingerprint } from './fingerprint.ts'
import { backOff, limitNow, remaining } from './limits.ts'
import { timed } from './timing.ts'
import { type Result, type Statement, type Transport, typeParsers } from './transport.ts'

/** How the transaction of a batch is to be. */
export interface BatchOptions {
  /** Default: the database's own, `read committed`. */
  readonly isolation?: Isolation
  /** Refuses changes. Default false. */
  readonly readOnly?: boolean
  /** Waits for a snapshot that cannot fail; only with `serializable` and `readOnly`. Default false. */
  readonly deferrable?: boolean
}

/** Isolation levels of Postgres. */
export type Isolation = 'read committed' | 'repeatable read' | 'serializable'

const LEVELS = {
  'read committed': 'ReadCommitted',
  'repeatable read': 'RepeatableRead',
  serializable: 'Serializable',
} as const

// A statement that never reached Postgres is sent again twice, after up to 50 and 100 ms.
const ATTEMPTS = 3
const BASE_DELAY = 50
const LONGEST_DELAY = 500

interface Journey {
  readonly name: string
  readonly statements: number
  readonly readOnly: boolean
}

/** Statements over Neon's HTTP: one round trip for one statement or one batch. */
export function createHttpTransport(address: Address, timeout: number): Transport<BatchOptions> {
  const http = neon(address.url)

  /** One round trip, seen as a span, tried again when it never arrived. */
  async function travel<T>(journey: Journey, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { name, readOnly } = journey
    for (let attempt = 1; ; attempt++) {
      const limit = limitNow(timeout)
      if (limit === undefined) throw new PostgresError('timeout', {}, new Error(`no time left [${name}]`))
      try {
        const attributes = { 'db.system.name': 'postgresql', statements: journey.statements, attempt }
        return await timed(name, attributes, () => send(limit.signal))
      } catch (thrown) {
        const aborted = limit.signal.aborted
        const { error, unsent } = classify(thrown, { statement: name, readOnly, aborted })
        const again = (unsent || (readOnly && !aborted)) && worthAnother(error)
        if (!again || attempt >= ATTEMPTS || remaining(timeout) <= LONGEST_DELAY) throw error
        await backOff(attempt, BASE_DELAY, LONGEST_DELAY)
      }
    }
  }

  const query = ({ sql, params, arrayMode }: Statement, fetchOptions: Record<string, unknown>) =>
    http.query(sql, [...params], { arrayMode, fullResults: true, types: typeParsers, fetchOptions })

  return {
    run(statement) {
      const journey = { name: fingerprint(statement.sql), statements: 1, readOnly: statement.readOnly }
      return travel(journey, (signal) => query(statement, { signal }) as unknown as Promise<Result>)
    },
    async batch(statements, options = {}) {
      if (statements.length === 0) return []
      const journey = {
        name: `batch: ${[...new Set(statements.map(({ sql }) => fingerprint(sql)))].join('; ')}`.slice(
          0,
          600,
        ),
        statements: statements.length,
        readOnly: options.readOnly === true || statements.every((statement) => statement.readOnly),
      }
      const settings: HTTPTransactionOptions<boolean, true> = {
        fullResults: true,
        ...(options.isolation && { isolationLevel: LEVELS[options.isolation] }),
        ...(options.readOnly !== undefined && { readOnly: options.readOnly }),
        ...(options.deferrable !== undefined && { deferrable: options.deferrable }),
      }
      return travel(journey, (signal) => {
        const all = statements.map((statement) => query(statement, {}))
        const together = http.transaction(all as never, { ...settings, fetchOptions: { signal } } as never)
        return together as unknown as Promise<Result[]>
      })
    },
  }
}
