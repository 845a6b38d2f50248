import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { prefersHtml } from './accept.ts'
import { describeError } from './describe.ts'
import { type ErrorCode, type FieldFault, isBreakwaterError } from './errors.ts'
import { problemPage } from './problem-page.ts'

/**
 * What `type` begins with unless told otherwise: names that nobody else can have and that lead nowhere, which RFC 9457,
 * section 3.1.1, allows. Give a `typeBase` of your own to make them lead to your documentation.
 */
export const PROBLEM_TYPE_BASE = 'urn:uuid:9e295d6e-1904-44d6-9515-efa60d77aeef#'

/** Kinds of problem that are not ours to name: they are in IANA's registry by draft-ietf-httpapi-ratelimit-headers-11. */
const REGISTERED: ReadonlySet<string> = new Set(['quota-exceeded', 'abnormal-usage-detected'])

function typeOf(code: string | undefined, base: string | undefined): string {
  if (code === undefined) return 'about:blank'
  if (base === undefined && REGISTERED.has(code))
    return `https://iana.org/assignments/http-problem-types#${code}`
  return (base ?? PROBLEM_TYPE_BASE) + code
}

/** A problem document (RFC 9457). */
export interface Problem {
  /** A URI that names the kind of problem; `about:blank` for a plain HTTP status. */
  readonly type: string
  /** A short summary of the kind of problem; the same for each occurrence. */
  readonly title: string
  readonly status: number
  /** What is the matter this time. Safe to show. */
  readonly detail?: string
  /** This occurrence: a URN with the request id. */
  readonly instance?: string
  /** The stable code, see `docs/errors.md`. Absent for a plain HTTP status. */
  readonly code?: ErrorCode
  /** Faults by field, when the code is `validation-failed`. */
  readonly errors?: readonly FieldFault[]
  /** Extension members. */
  readonly [extension: string]: unknown
}

/** How an error becomes a problem document. */
export interface ProblemOptions {
  /**
   * Begins the `type` URI; the code follows. `https://docs.acme.dev/errors#` makes each a link to a page of yours.
   * Default {@link PROBLEM_TYPE_BASE}.
   */
  readonly typeBase?: string
  /** The request id, for `instance`. */
  readonly requestId?: string | undefined
  /** Adds the error itself with its stack and causes, as the member `debug`. Never in production. Default false. */
  readonly development?: boolean
}

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'bad-request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  405: 'method-not-allowed',
  409: 'conflict',
  412: 'precondition-failed',
  413: 'payload-too-large',
  415: 'unsupported-media-type',
  416: 'range-not-satisfiable',
  422: 'validation-failed',
  429: 'quota-exceeded',
  500: 'internal',
  503: 'overloaded',
  504: 'deadline-exceeded',
}

/** What an error says about the reply; every part of it read without ever throwing. */
interface Facts {
  readonly status: ContentfulStatusCode
  readonly code: ErrorCode | undefined
  readonly detail: string | undefined
  readonly fields: readonly FieldFault[]
  readonly extensions: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
}

function read(value: unknown, key: string): unknown {
  try {
    return (value as Record<string, unknown> | null | undefined)?.[key]
  } catch {
    return undefined
  }
}

/** The HTTP status an error asks for; 500 unless it asks for one between 400 and 599 and is an HTTP error. */
export function statusOf(error: unknown): ContentfulStatusCode {
  const status = read(error, 'status')
  const isHttp = isBreakwaterError(error) || typeof read(error, 'getResponse') === 'function'
  return isHttp && Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599
    ? (status as ContentfulStatusCode)
    : 500
}

/** Whether an error is to be reported: our own errors say it themselves, of the others a 5xx is. */
export function isNews(error: unknown): boolean {
  return isBreakwaterError(error) ? read(error, 'report') !== false : statusOf(error) >= 500
}

function factsOf(error: unknown): Facts {
  try {
    return readFacts(error)
  } catch {
    return { status: 500, code: 'internal', detail: undefined, fields: [], extensions: {}, headers: {} }
  }
}

function readFacts(error: unknown): Facts {
  const status = statusOf(error)
  const message = read(error, 'message')
  const text = typeof message === 'string' && message !== '' ? message : undefined
  if (isBreakwaterError(error)) {
    const code = error.code
    return {
      status,
      code,
      detail: text === code ? undefined : text,
      fields: [...error.fields],
      extensions: { ...error.extensions },
      headers: { ...error.headers },
    }
  }
  // The message of someone else's 4xx was meant for the caller; that of a 5xx, nobody knows.
  const malformed = status === 400 && text?.startsWith('Malformed JSON')
  return {
    status,
    code: malformed ? 'malformed-json' : BY_STATUS[status],
    detail: status < 500 ? text : undefined,
    fields: [],
    extensions: {},
    headers: {},
  }
}

function titleOf(code: ErrorCode | undefined, status: number): string {
  if (code === 'malformed-json') return 'Malformed JSON'
  if (code !== undefined) return code.charAt(0).toUpperCase() + code.slice(1).replaceAll('-', ' ')
  // The platform knows the reason phrases.
  return new Response(null, { status }).statusText || `HTTP status ${status}`
}

/** The URN of a request id. */
export function requestUrn(id: string): string {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)
    ? `urn:uuid:${id}`
    : `urn:request:${encodeURIComponent(id)}`
}

/**
 * The problem document for anything that was thrown. Pure, and never throws itself: hostile errors become a plain
 * `internal`.
 */
export function toProblem(error: unknown, options: ProblemOptions = {}): Problem {
  const { status, code, detail, fields, extensions } = factsOf(error)
  return {
    ...extensions,
    type: typeOf(code, options.typeBase),
    title: titleOf(code, status),
    status,
    ...(detail !== undefined && { detail }),
    ...(status >= 500 && detail === undefined && { detail: 'Something went wrong on our side.' }),
    ...(options.requestId !== undefined && { instance: requestUrn(options.requestId) }),
    ...(code !== undefined && { code }),
    ...(fields.length > 0 && { errors: fields }),
    ...(options.development && { debug: describeError(error) }),
  }
}

/** Which parts of a request decide how a problem is written. */
export interface ProblemAudience {
  readonly method: string
  readonly headers: Pick<Headers, 'get'>
}

/**
 * The reply for anything that was thrown: `application/problem+json`, or a plain page for a browser; without a body
 * for HEAD. Pure, and never throws.
 * @param error What was thrown.
 * @param request Who asked, for content negotiation.
 * @param headers Header fields to start from. Those that described the reply which never came are dropped.
 */
export function problemResponse(
  error: unknown,
  request: ProblemAudience,
  options: ProblemOptions = {},
  headers: Headers = new Headers(),
): Response {
  const problem = toProblem(error, options)
  for (const name of OF_THE_LOST_REPLY) headers.delete(name)
  for (const [name, value] of Object.entries(factsOf(error).headers)) {
    try {
      headers.set(name, value)
    } catch {} // not a header value: better without it than no reply
  }
  const html = prefersHtml(request.headers.get('accept'))
  headers.set('Content-Type', html ? 'text/html; charset=utf-8' : 'application/problem+json')
  headers.set('Cache-Control', 'no-store')
  headers.set('X-Content-Type-Options', 'nosniff')
  if (html) headers.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'")
  if (options.requestId !== undefined) headers.set('X-Request-Id', options.requestId)
  vary(headers, 'Accept')
  const body = request.method === 'HEAD' ? null : html ? problemPage(problem) : write(problem)
  return new Response(body, { status: problem.status, headers })
}

const OF_THE_LOST_REPLY = [
  'Content-Length',
  'Content-Encoding',
  'Content-Range',
  'Content-Disposition',
  'Content-Language',
  'Content-Location',
  'ETag',
  'Last-Modified',
  'Expires',
]

/** Adds a field name to `Vary`, once. */
export function vary(headers: Headers, name: string): void {
  const value = headers.get('Vary')
  if (value === null) headers.set('Vary', name)
  else if (
    value !== '*' &&
    !value
      .toLowerCase()
      .split(/\s*,\s*/)
      .includes(name.toLowerCase())
  ) {
    headers.set('Vary', `${value}, ${name}`)
  }
}

function write(problem: Problem): string {
  try {
    return JSON.stringify(problem)
  } catch {
    // Extensions that JSON cannot hold.
    const { type, title, status, detail, instance, code } = problem
    return JSON.stringify({ type, title, status, detail, instance, code })
  }
}
