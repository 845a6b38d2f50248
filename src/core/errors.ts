import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'

/**
 * Every code a Breakwater error can carry. Stable: clients may switch on it.
 * In a problem document the code is the last segment of `type`, and the extension member `code`.
 */
export type ErrorCode =
  // Requests
  | 'bad-request'
  | 'malformed-json'
  | 'validation-failed'
  | 'not-found'
  | 'method-not-allowed'
  | 'conflict'
  | 'precondition-failed'
  | 'payload-too-large'
  | 'unsupported-media-type'
  | 'range-not-satisfiable'
  | 'cross-site-request'
  | 'deadline-exceeded'
  // Who is asking
  | 'unauthenticated'
  | 'forbidden'
  | 'fresh-authentication-required'
  | 'invalid-credentials'
  | 'invalid-token'
  | 'weak-password'
  // How much
  | 'quota-exceeded'
  | 'abnormal-usage-detected'
  | 'challenge-required'
  | 'overloaded'
  // What we stand on
  | 'dependency-unavailable'
  | 'outcome-unknown'
  | 'misconfigured'
  | 'internal'

/** One fault inside a request, located by JSON Pointer (RFC 6901) in the body or by name in the query or a header. */
export interface FieldFault {
  /**
   * JSON Pointer into the body (`/email`; the empty string is the whole body), or `?name` for the query, or
   * `header:name`, `param:name`, `cookie:name`.
   */
  readonly pointer: string
  /** What is wrong, safe to show. */
  readonly detail: string
}

/** What a {@link BreakwaterError} is made of. */
export interface BreakwaterErrorOptions {
  /** HTTP status; 400 to 599. */
  readonly status: ContentfulStatusCode
  /** A sentence that is safe to show to anyone. Default: the status's own reason phrase. */
  readonly detail?: string
  /** What really happened. For logs and error reports; never shown to callers in production. */
  readonly cause?: unknown
  /** Faults by field, for `validation-failed`. */
  readonly fields?: readonly FieldFault[]
  /** Header fields of the reply, such as `Retry-After` or `Allow`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Extension members of the problem document (RFC 9457, section 3.2). Safe to show. */
  readonly extensions?: Readonly<Record<string, unknown>>
  /** Whether error capture should treat it as news. Default: true for 5xx, false for the rest. */
  readonly report?: boolean
}

const marker = Symbol.for('breakwater.error')

/**
 * The one family of errors. `message` is public and safe to show; `cause` is not.
 * It extends Hono's `HTTPException`, so that it renders sensibly even where Breakwater's renderer is not mounted.
 */
export class BreakwaterError extends HTTPException {
  override readonly name: string = 'BreakwaterError'
  /** Stable code, see {@link ErrorCode}. */
  readonly code: ErrorCode
  /** Faults by field; empty unless the code is `validation-failed`. */
  readonly fields: readonly FieldFault[]
  /** Header fields the reply must carry. */
  readonly headers: Readonly<Record<string, string>>
  /** Extension members of the problem document. */
  readonly extensions: Readonly<Record<string, unknown>>
  /** Whether error capture reports it. */
  readonly report: boolean

  constructor(code: ErrorCode, options: BreakwaterErrorOptions) {
    super(options.status, { message: options.detail ?? code, cause: options.cause })
    Object.defineProperty(this, marker, { value: true })
    this.code = code
    this.fields = options.fields ?? []
    this.headers = options.headers ?? {}
    this.extensions = options.extensions ?? {}
    this.report = options.report ?? options.status >= 500
  }
}

/**
 * Whether a value is a Breakwater error. Works across duplicate installs of the package, where `instanceof` fails.
 */
export function isBreakwaterError(value: unknown): value is BreakwaterError {
  try {
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[marker] === true
  } catch {
    return false // a hostile proxy
  }
}

/**
 * The value itself when it is an `Error`; else a {@link BreakwaterError} with it as the cause. Hono's `onError` is
 * called for `Error`s only, so a middleware that catches what `next()` throws should throw this on.
 */
export function asError(value: unknown): Error {
  try {
    if (value instanceof Error) return value
    // Nobody else will ever look at a promise that was thrown.
    if (value instanceof Promise) value.catch(() => {})
  } catch {}
  return new BreakwaterError('internal', { status: 500, cause: value })
}
