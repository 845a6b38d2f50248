import type { Context, MiddlewareHandler } from 'hono'
import { asError } from '../core/errors.ts'
import { onReply } from '../core/headers.ts'
import { vary } from '../core/problem.ts'
import { type Duration, milliseconds } from '../core/time.ts'
import { type Origins, trustedOrigins } from './origins.ts'

/** Options of {@link cors}. */
export interface CorsOptions {
  /** Who may read replies: a list of origins, or `'*'` for public data without credentials. */
  readonly origins: Origins | '*'
  /** Allow cookies. Default false. */
  readonly credentials?: boolean
  /** Methods a preflight allows. Default GET, HEAD, POST, PUT, PATCH, DELETE. */
  readonly methods?: readonly string[]
  /** More request header fields a preflight allows, beside {@link CORS_REQUEST_HEADERS}. */
  readonly allowHeaders?: readonly string[]
  /** More response header fields a page may read, beside {@link CORS_EXPOSED_HEADERS}. */
  readonly exposeHeaders?: readonly string[]
  /** How long a browser may remember a preflight. Default 10 minutes. */
  readonly maxAge?: Duration
}

/** Request header fields that are always allowed: what this package reads, and what clients commonly need. */
export const CORS_REQUEST_HEADERS: readonly string[] = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'X-Request-Id',
  'traceparent',
  'tracestate',
  'sentry-trace',
  'baggage',
]

/** Response header fields that a page may always read: limits, retries, ids, uploads. */
export const CORS_EXPOSED_HEADERS: readonly string[] = [
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
  'ETag',
  'Location',
  'Content-Disposition',
]

/** What CORS does to one request, apart from Hono's middleware so that `secure` can call it. */
export interface CorsPolicy {
  /** The reply to a preflight; undefined when the request is none. */
  preflight(c: Context): Response | undefined
  /** Adds what the request's origin is allowed to the reply's header fields. */
  apply(c: Context, headers: Headers): void
}

/** The policy behind {@link cors}. */
export function corsPolicy(options: CorsOptions): CorsPolicy {
  const { origins, credentials = false } = options
  const open = origins === '*'
  if (open && credentials) {
    throw new TypeError(
      'CORS with credentials needs a list of origins: "*" would hand every site your users’ data',
    )
  }
  const trusted = open ? undefined : trustedOrigins(origins)
  const methods = (options.methods ?? ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']).map((method) => {
    if (!/^[A-Z]+$/.test(method)) throw new TypeError(`"${method}" is not a method: list upper-case names`)
    return method
  })
  const allowHeaders = fieldNames([...CORS_REQUEST_HEADERS, ...(options.allowHeaders ?? [])])
  const exposeHeaders = fieldNames([...CORS_EXPOSED_HEADERS, ...(options.exposeHeaders ?? [])])
  const maxAge = String(Math.floor(milliseconds(options.maxAge ?? '10 m') / 1000))
  const methodList = methods.join(', ')

  const allow = (c: Context, headers: Headers): boolean => {
    const origin = c.req.header('origin')
    if (!trusted) {
      headers.set('Access-Control-Allow-Origin', '*')
      return origin !== undefined
    }
    vary(headers, 'Origin')
    if (origin === undefined || !trusted(c)(origin)) return false
    headers.set('Access-Control-Allow-Origin', origin)
    if (credentials) headers.set('Access-Control-Allow-Credentials', 'true')
    return true
  }

  return {
    preflight(c) {
      if (c.req.method !== 'OPTIONS') return undefined
      if (!c.req.header('access-control-request-method') || !c.req.header('origin')) return undefined
      const headers = new Headers()
      if (allow(c, headers)) {
        headers.set('Access-Control-Allow-Methods', methodList)
        headers.set('Access-Control-Allow-Headers', allowHeaders)
        headers.set('Access-Control-Max-Age', maxAge)
      }
      vary(headers, 'Access-Control-Request-Method')
      vary(headers, 'Access-Control-Request-Headers')
      return new Response(null, { status: 204, headers })
    },
    apply(c, headers) {
      // What a handler or an inner policy decided for its own route stays.
      if (headers.has('access-control-allow-origin')) return
      if (allow(c, headers)) headers.set('Access-Control-Expose-Headers', exposeHeaders)
    },
  }
}

function fieldNames(names: readonly string[]): string {
  for (const name of names) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || name === '*') {
      throw new TypeError(`"${name}" is not a header field name`)
    }
  }
  return [...new Set(names)].join(', ')
}

/**
 * Cross-Origin Resource Sharing (Fetch Standard), strict: origins are listed, the caller's is never merely reflected,
 * and `*` goes without credentials. Error replies carry the fields too, so that a page can read them.
 * @throws TypeError when built with origins that cannot be trusted, or `*` with credentials.
 */
export function cors(options: CorsOptions): MiddlewareHandler {
  const policy = corsPolicy(options)
  return async function cors(c, next): Promise<Response | undefined> {
    const reply = policy.preflight(c)
    if (reply) return reply
    try {
      await next()
    } catch (error) {
      policy.apply(c, c.res.headers)
      throw asError(error)
    }
    onReply(c, policy.apply)
    return undefined
  }
}
