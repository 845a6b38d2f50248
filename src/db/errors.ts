import { BreakwaterError, type ErrorCode, isBreakwaterError } from '../core/index.ts'

/** What can go wrong between us and Postgres. Stable: code may switch on it. */
export type PostgresFailure =
  | 'unique-violation'
  | 'foreign-key-violation'
  | 'exclusion-violation'
  | 'check-violation'
  | 'not-null-violation'
  /** Another transaction got in between; the same again may succeed. */
  | 'serialization-failure'
  | 'deadlock'
  /** A time limit ended it. Nothing was changed. */
  | 'timeout'
  /** Postgres could not be reached, or turned us away. Nothing was changed. */
  | 'unavailable'
  /** The line broke after a change was sent: it may have happened or not. */
  | 'outcome-unknown'
  /** Anything else Postgres says: a bug in a statement, a missing table, a bad value. */
  | 'rejected'

/** What is known about a failure. Never a parameter, a value or a row. */
export interface PostgresErrorDetails {
  /** SQLSTATE, five characters; absent when Postgres itself was not heard. */
  readonly sqlState?: string
  readonly constraint?: string
  readonly schema?: string
  readonly table?: string
  readonly column?: string
}

interface Form {
  readonly code: ErrorCode
  readonly status: 409 | 500 | 503 | 504
  readonly detail: string
  readonly report: boolean
  readonly retryAfter?: string
}

const CONFLICT = { code: 'conflict', status: 409, report: false } as const
const BUG = { code: 'internal', status: 500, report: true, detail: 'Something went wrong.' } as const

const FORMS: Readonly<Record<PostgresFailure, Form>> = {
  'unique-violation': { ...CONFLICT, detail: 'This conflicts with something that exists already.' },
  'foreign-key-violation': {
    ...CONFLICT,
    detail: 'This refers to something that does not exist, or is still referred to.',
  },
  'exclusion-violation': { ...CONFLICT, detail: 'This conflicts with something that exists already.' },
  'check-violation': BUG,
  'not-null-violation': BUG,
  'serialization-failure': {
    ...CONFLICT,
    detail: 'Someone else changed the same thing at the same time. Try again.',
    retryAfter: '1',
  },
  deadlock: {
    ...CONFLICT,
    detail: 'Someone else changed the same thing at the same time. Try again.',
    report: true,
    retryAfter: '1',
  },
  timeout: {
    code: 'deadline-exceeded',
    status: 504,
    detail: 'The database took too long.',
    report: true,
  },
  unavailable: {
    code: 'dependency-unavailable',
    status: 503,
    detail: 'The database cannot be reached.',
    report: true,
    retryAfter: '1',
  },
  'outcome-unknown': {
    code: 'outcome-unknown',
    status: 503,
    detail: 'The line to the database broke. The change may have happened or not: look before trying again.',
    report: true,
  },
  rejected: BUG,
}

/**
 * A failure of the database, told by its {@link PostgresFailure}. It knows which constraint, table and column, and
 * never which values: neither its message nor its cause carries parameters or the `DETAIL` line, which holds rows.
 */
export class PostgresError extends BreakwaterError {
  override readonly name: string = 'PostgresError'
  readonly failure: PostgresFailure
  /** SQLSTATE, five characters; undefined when Postgres itself was not heard. */
  readonly sqlState: string | undefined
  readonly constraint: string | undefined
  readonly schema: string | undefined
  readonly table: string | undefined
  readonly column: string | undefined

  constructor(failure: PostgresFailure, details: PostgresErrorDetails = {}, cause?: Error) {
    const form = FORMS[failure]
    super(form.code, {
      status: form.status,
      detail: form.detail,
      report: form.report,
      ...(cause && { cause }),
      ...(form.retryAfter !== undefined && { headers: { 'Retry-After': form.retryAfter } }),
    })
    this.failure = failure
    this.sqlState = details.sqlState
    this.constraint = details.constraint
    this.schema = details.schema
    this.table = details.table
    this.column = details.column
  }
}

/**
 * Whether a value is a {@link PostgresError}, of the given kind and on the given constraint if those are given.
 * Works across duplicate installs of the package, where `instanceof` fails.
 */
export function isPostgresError(
  value: unknown,
  failure?: PostgresFailure,
  constraint?: string,
): value is PostgresError {
  if (!isBreakwaterError(value)) return false
  const error = value as Partial<PostgresError>
  return (
    error.failure !== undefined &&
    (failure === undefined || error.failure === failure) &&
    (constraint === undefined || error.constraint === constraint)
  )
}
