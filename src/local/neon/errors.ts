/** A refusal in Neon's own form: a status and a JSON body whose fields are null unless Postgres filled them. */
export class NeonFailure extends Error {
  override readonly name = 'NeonFailure'
  readonly status: number
  readonly fields: Readonly<Record<string, unknown>>

  constructor(status: number, message: string, fields: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.status = status
    this.fields = fields
  }
}

// In the order of Neon's own replies.
const FIELDS = [
  'code',
  'detail',
  'hint',
  'position',
  'internalPosition',
  'internalQuery',
  'severity',
  'where',
  'table',
  'column',
  'schema',
  'dataType',
  'constraint',
  'file',
  'line',
  'routine',
] as const

/** The fields of an error that came from Postgres. */
export function postgresFields(error: unknown): Record<string, unknown> | undefined {
  const from = error as Record<string, unknown>
  if (typeof from['severity'] !== 'string' || typeof from['code'] !== 'string') return undefined
  return Object.fromEntries(FIELDS.map((name) => [name, from[name] ?? null]))
}

/** The body of a failure: every field is there, as clients expect. */
export function failureBody(failure: NeonFailure): string {
  const empty = Object.fromEntries(FIELDS.map((name) => [name, null]))
  return JSON.stringify({ message: failure.message, ...empty, ...failure.fields })
}
