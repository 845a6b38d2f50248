import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import { findTargetHandler } from 'hono/utils/handler'
import { BreakwaterError } from '../core/errors.ts'
import { notedFault, noteFault } from '../core/fault.ts'
import { slot } from '../core/slot.ts'
import { limitedBody } from './limited-body.ts'

/** Options of {@link bodyLimit}. Sizes are bytes; `false` is no limit. */
export interface BodyLimitOptions {
  /** `application/json` and every `+json`. Default 256 KiB. */
  readonly json?: number | false
  /** How deep JSON may nest. Default 64. */
  readonly jsonDepth?: number | false
  /** `application/x-www-form-urlencoded`. Default 256 KiB. */
  readonly form?: number | false
  /** `multipart/form-data`. Default 10 MiB. */
  readonly multipart?: number | false
  /** `text/*`. Default 256 KiB. */
  readonly text?: number | false
  /** Everything else, and bodies without a type. Default 10 MiB. */
  readonly other?: number | false
}

type Limits = Readonly<Record<keyof BodyLimitOptions, number>>

const KIB = 1024
const DEFAULTS: Limits = {
  json: 256 * KIB,
  jsonDepth: 64,
  form: 256 * KIB,
  multipart: 10 * KIB * KIB,
  text: 256 * KIB,
  other: 10 * KIB * KIB,
}

/**
 * @throws TypeError when a limit is not a positive whole number.
 */
export function compileLimits(options: BodyLimitOptions): Limits {
  const limits = { ...DEFAULTS }
  for (const key of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const value = options[key]
    if (value === undefined) continue
    if (value !== false && !(Number.isSafeInteger(value) && value > 0)) {
      throw new TypeError(`The body limit "${key}" must be a whole number of bytes above 0, or false`)
    }
    limits[key] = value === false ? Number.POSITIVE_INFINITY : value
  }
  return limits
}

/** Marks a middleware as one that limits bodies, so that the one nearest to the handler decides. */
const LIMITS: unique symbol = Symbol.for('breakwater.body-limits')

/** Adds limits to a middleware function. */
export function withLimits<T extends MiddlewareHandler>(handler: T, limits: Limits): T {
  return Object.assign(handler, { [LIMITS]: limits })
}

const guarded = slot<Context, true>('body.guarded')

/**
 * Puts the request's body under its limit. Does nothing for requests without one, and nothing the second time.
 * @throws BreakwaterError `payload-too-large` at once when the declared length is over the limit.
 */
export function guardBody(c: Context, own: Limits): void {
  const { raw } = c.req
  if (raw.body === null || raw.bodyUsed || guarded.get(c)) return
  guarded.set(c, true)

  const limits = nearest(c) ?? own
  const type = kindOf(raw.headers.get('content-type'))
  const limit = limits[type]
  const length = raw.headers.get('content-length')
  const declared = length !== null && /^\d{1,15}$/.test(length) ? Number(length) : undefined
  if (declared !== undefined && declared > limit) throw tooLarge(limit)

  const depth = type === 'json' ? limits.jsonDepth : Number.POSITIVE_INFINITY
  if (limit === Number.POSITIVE_INFINITY && depth === limit) return
  const body = limitedBody(raw.body, {
    limit,
    depth,
    // Keeps the length known, which R2 asks for; text is read as a whole anyway.
    declared: type === 'other' ? declared : undefined,
    refuse: (reason) => {
      const fault = reason === 'size' ? tooLarge(limit) : tooDeep(depth)
      noteFault(c, fault)
      return fault
    },
  })
  c.req.raw = new Request(raw, { body, duplex: 'half' } as RequestInit)
}

/**
 * After the handler: the fault of the body, when the reply came of it and does not tell. A validator that catches
 * every error of reading makes a 400 of it.
 */
export function bodyFault(c: Context): BreakwaterError | undefined {
  const fault = notedFault(c)
  return fault !== undefined && c.res.status >= 400 ? fault : undefined
}

function nearest(c: Context): Limits | undefined {
  let found: Limits | undefined
  for (const { handler } of matchedRoutes(c)) {
    const limits = (findTargetHandler(handler) as { [LIMITS]?: Limits })[LIMITS]
    if (limits) found = limits
  }
  return found
}

function kindOf(contentType: string | null): 'json' | 'form' | 'multipart' | 'text' | 'other' {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (type === 'application/json' || type.endsWith('+json')) return 'json'
  if (type === 'application/x-www-form-urlencoded') return 'form'
  if (type === 'multipart/form-data') return 'multipart'
  return type.startsWith('text/') ? 'text' : 'other'
}

function tooLarge(limit: number): BreakwaterError {
  return new BreakwaterError('payload-too-large', {
    status: 413,
    detail: `The body is larger than the ${limit} bytes allowed here.`,
    extensions: { limit },
  })
}

function tooDeep(depth: number): BreakwaterError {
  return new BreakwaterError('bad-request', {
    status: 400,
    detail: `The JSON in the body nests deeper than the ${depth} levels allowed here.`,
  })
}

/**
 * Limits request bodies by content type, and the depth of JSON. The stream itself is counted, so that neither a chunked
 * body nor a false `Content-Length` passes; nothing is buffered, and a body that nobody reads costs nothing. On one
 * path the limit nearest to the handler counts: a route may allow more, or less, than the app.
 *
 * @example
 * ```ts
 * app.use(bodyLimit())
 * app.post('/import', bodyLimit({ json: 5 * 1024 * 1024 }), importHandler)
 * ```
 * @throws TypeError when built with a limit that is not a positive whole number.
 */
export function bodyLimit(options: BodyLimitOptions = {}): MiddlewareHandler {
  const limits = compileLimits(options)
  return withLimits(async function bodyLimit(c, next): Promise<void> {
    guardBody(c, limits)
    await next()
    const fault = bodyFault(c)
    if (fault) throw fault
  }, limits)
}
