import { isBreakwaterError } from '../core/index.ts'
import { redactText } from '../core/redact-text.ts'

/** A frame of a stack. */
export interface Frame {
  readonly filename?: string
  readonly function?: string
  readonly module?: string
  readonly lineno?: number
  readonly colno?: number
  readonly abs_path?: string
  readonly in_app?: boolean
}

/** One of an event's chain of errors. */
export interface ExceptionValue {
  type?: string
  value?: string
  mechanism?: Record<string, unknown>
  stacktrace?: { frames?: Frame[] }
}

/** The part of a client's event that is used; everything else it may have gathered is left behind. */
export interface RawEvent {
  readonly event_id?: string
  readonly exception?: { values?: ExceptionValue[] }
  readonly message?: unknown
}

/**
 * What is asked of a Sentry client: to read an error, its chain of causes and their stacks. It gathers nothing about the
 * request and sends nothing; both are done here, where more is known of what may be told.
 */
export interface EventClient {
  /** Of the client, as its package is called. */
  readonly name: string
  /** Makes an event of an error, causes first. Synchronous. */
  build(error: Error): RawEvent | undefined
}

/** An error for what is none, told by its kind; its members may be anything, so they are not told. */
export function errorOf(thrown: unknown): Error {
  // Core wraps what is thrown and is no error; the wrapper tells nothing.
  if (isBreakwaterError(thrown) && thrown.code === 'internal' && thrown.cause !== undefined) {
    return thrown.cause instanceof Error ? thrown : errorOf(thrown.cause)
  }
  if (thrown instanceof Error) return thrown
  if (typeof thrown === 'object' && thrown !== null) {
    // An error of another realm, or of a library that does not extend Error.
    const { name, message, stack } = thrown as Record<string, unknown>
    const error = new Error(typeof message === 'string' ? message : 'An object that is no error was thrown')
    error.name =
      typeof name === 'string' ? name : ((thrown.constructor?.name as string | undefined) ?? 'Object')
    if (typeof stack === 'string') error.stack = stack
    else delete error.stack
    return error
  }
  const error = new Error(typeof thrown === 'string' ? redactText(thrown) : String(thrown))
  error.name = `Thrown ${typeof thrown}`
  // Its stack would be that of this line.
  delete error.stack
  return error
}
