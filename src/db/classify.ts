import { PostgresError, type PostgresErrorDetails, type PostgresFailure } from './errors.ts'

/** What is known about how far a statement got, and what it does. */
export interface Circumstances {
  /** The statement's fingerprint, for whoever reads the error. */
  readonly statement: string
  /** Whether it changes nothing, so that a broken line leaves no doubt. */
  readonly readOnly: boolean
  /** Whether our own time limit, or the caller's going away, cut it short. */
  readonly aborted: boolean
}

/** A failure, and whether it is certain that Postgres never began the statement. */
export interface Classified {
  readonly error: PostgresError
  readonly unsent: boolean
}

const BY_STATE: Readonly<Record<string, PostgresFailure>> = {
  '23505': 'unique-violation',
  '23503': 'foreign-key-violation',
  '23001': 'foreign-key-violation',
  '23P01': 'exclusion-violation',
  '23514': 'check-violation',
  '44000': 'check-violation',
  '23502': 'not-null-violation',
  '40001': 'serialization-failure',
  '40P01': 'deadlock',
  '57014': 'timeout',
  '55P03': 'timeout',
  '25P03': 'timeout',
  '25P04': 'timeout',
  '57P01': 'unavailable',
  '57P02': 'unavailable',
  '57P03': 'unavailable',
  '57P05': 'unavailable',
  '53300': 'unavailable',
  '40003': 'outcome-unknown',
}

/** Turned away at the door: nothing of the statement was looked at. */
const AT_THE_DOOR = /^(53300|57P03|08001|08004|28...)$/

function failureOf(state: string): PostgresFailure {
  const exact = BY_STATE[state]
  if (exact !== undefined) return exact
  // Connection exceptions and insufficient resources.
  return /^(08|53|28|58)/.test(state) ? 'unavailable' : 'rejected'
}

// Names of things are quoted in the messages of these classes, values in those of the others.
const NAMES_ONLY = /^(08|0A|23|25|26|28|2B|2F|34|3B|3D|3F|40|42|53|54|55|57)/

/** Postgres's message without the values it may quote. */
function withoutValues(message: string, state: string): string {
  if (NAMES_ONLY.test(state)) return message
  return message
    .replace(/".*"/s, '"…"')
    .replace(/'.*'/s, "'…'")
    .replace(/\d{3,}/g, '…')
}

function word(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function detailsOf(from: Readonly<Record<string, unknown>>, sqlState: string): PostgresErrorDetails {
  const details: Record<string, string> = { sqlState }
  for (const name of ['constraint', 'schema', 'table', 'column']) {
    const value = word(from[name])
    if (value !== undefined) details[name] = value
  }
  return details
}

/** An error to look at later: Postgres's words without values, and the statement's fingerprint. */
function causeOf(message: string, statement: string): Error {
  const cause = new Error(`${message} [${statement}]`)
  cause.name = 'DatabaseError'
  return cause
}

/** Node's codes for a connection that was never made. */
const NEVER_CONNECTED =
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|couldn't connect to compute|connection refused/i

/** Neon's proxy, when it could not or would not take the statement to Postgres. */
const PROXY_REFUSED =
  /couldn't connect to compute|too many database connection attempts|control plane|compute is (busy|unavailable)|rate limit|"severity":"FATAL"/i

function depths(error: unknown): Record<string, unknown>[] {
  const found: Record<string, unknown>[] = []
  for (let at = error; typeof at === 'object' && at !== null && found.length < 5; ) {
    const one = at as Record<string, unknown>
    found.push(one)
    at = one['sourceError'] ?? one['cause'] ?? (Array.isArray(one['errors']) ? one['errors'][0] : undefined)
  }
  return found
}

/** Makes one typed error of whatever a driver threw. */
export function classify(thrown: unknown, circumstances: Circumstances): Classified {
  const { statement, readOnly, aborted } = circumstances
  const chain = depths(thrown)
  const answered = chain.find((one) => /^[0-9A-Z]{5}$/.test(word(one['code']) ?? '') && word(one['severity']))
  if (answered !== undefined) {
    const state = word(answered['code']) ?? ''
    const message = withoutValues(word(answered['message']) ?? 'no message', state)
    const error = new PostgresError(
      failureOf(state),
      detailsOf(answered, state),
      causeOf(`${state}: ${message}`, statement),
    )
    return { error, unsent: AT_THE_DOOR.test(state) }
  }

  const text = chain.map((one) => `${word(one['code']) ?? ''} ${word(one['message']) ?? ''}`).join(' ')
  const status = Number(/HTTP status (\d{3})/.exec(text)?.[1] ?? 0)
  const top = word(chain[0]?.['message']) ?? 'no message'
  // A 400 without a code is Neon's proxy speaking, before it asked Postgres.
  const fromProxy = chain[0]?.['name'] === 'NeonDbError' && status === 0 && chain[0]?.['sourceError'] == null
  const unsent =
    !aborted &&
    (NEVER_CONNECTED.test(text) || PROXY_REFUSED.test(text) || status === 429 || status === 503 || fromProxy)
  const certain = unsent || readOnly || status === 413
  const failure: PostgresFailure =
    status === 413 ? 'rejected' : !certain ? 'outcome-unknown' : aborted ? 'timeout' : 'unavailable'
  const said = status > 0 ? `HTTP status ${status} from the database's proxy` : top
  return { error: new PostgresError(failure, {}, causeOf(aborted ? 'cut short' : said, statement)), unsent }
}

/** Whether the same statement, sent again in a moment, may fare better. Never for a wrong password. */
export function worthAnother(error: PostgresError): boolean {
  return error.failure === 'unavailable' && !/password|28...:/.test(String((error.cause as Error).message))
}
