import type { Context, Env, ErrorHandler, Hono, NotFoundHandler, Schema } from 'hono'
import { allowedMethods, type RoutedApp } from './allow.ts'
import { BreakwaterError, isBreakwaterError } from './errors.ts'
import { takeFault } from './fault.ts'
import { isNews, problemResponse } from './problem.ts'
import { complain } from './unit-of-work.ts'
import { currentWork, type FailureMechanism, type Work } from './work.ts'

/** Options of {@link problems} and of `shield`. */
export interface ProblemsOptions {
  /** Begins the `type` URI of each problem; the code follows. Default `PROBLEM_TYPE_BASE`. */
  readonly typeBase?: string
  /**
   * Shows the error as it is, with its stack and causes. A function gets the Worker's environment.
   * Default false: production shows neither.
   */
  readonly development?: boolean | ((env: Record<string, unknown>) => boolean)
}

/**
 * Makes an app answer every failure with problem details (RFC 9457): thrown errors, `HTTPException`s (one that brings
 * its own response keeps it), unknown paths (404), known paths with another method (405 with `Allow`; `OPTIONS` is
 * answered with 204 and `Allow`), malformed bodies. Header fields and cookies set before the failure survive.
 *
 * Call it once, on the outermost app. Hono asks a sub-app's own `onError` first and never its `notFound`; so leave both
 * alone in sub-apps. Wrap the app in `shield` as well, for what Hono does not hand to `onError`.
 *
 * @example
 * ```ts
 * const app = problems(new Hono().use(requestContext()).route('/users', users))
 * export default shield(app)
 * ```
 * @returns The same app.
 */
export function problems<E extends Env, S extends Schema, B extends string>(
  app: Hono<E, S, B>,
  options: ProblemsOptions = {},
): Hono<E, S, B> {
  app.onError(renderProblem(options))
  app.notFound(renderNotFound(app as unknown as RoutedApp, options))
  return app
}

/** The `onError` handler of {@link problems}, for an app that wants to install it itself. */
export function renderProblem<E extends Env>(options: ProblemsOptions = {}): ErrorHandler<E> {
  return async function renderProblem(thrown, c): Promise<Response> {
    const error = takeFault(c) ?? (await recognize(thrown, c))
    const work = workOf(c)
    if (isNews(error)) report(error, 'handler', work)
    const own = ownResponse(error)
    const headers = takeHeaders(c)
    if (own === undefined) return respond(error, c, options, work, headers)
    // It brings its own reply; what was set before it survives where it says nothing itself.
    const reply = new Response(c.req.method === 'HEAD' ? null : own.body, own)
    for (const [name, value] of headers) {
      if (name === 'set-cookie') reply.headers.append(name, value)
      else if (!reply.headers.has(name) && name !== 'content-length') reply.headers.set(name, value)
    }
    if (work) reply.headers.set('X-Request-Id', work.id)
    return reply
  }
}

/** The `notFound` handler of {@link problems}. */
export function renderNotFound<E extends Env>(
  app: RoutedApp,
  options: ProblemsOptions = {},
): NotFoundHandler<E> {
  return function renderNotFound(c): Response {
    const work = workOf(c)
    let methods: string[] = []
    try {
      methods = allowedMethods(app, c)
    } catch {} // a router that cannot tell: then it is a plain 404
    const headers = takeHeaders(c)
    const { method } = c.req
    if (methods.length === 0 || methods.includes(method)) {
      const error = new BreakwaterError('not-found', { status: 404, detail: 'There is nothing here.' })
      return respond(error, c, options, work, headers)
    }
    const allow = methods.join(', ')
    if (method === 'OPTIONS') {
      headers.set('Allow', allow)
      return new Response(null, { status: 204, headers })
    }
    const error = new BreakwaterError('method-not-allowed', {
      status: 405,
      detail: `This address answers to ${allow}.`,
      headers: { Allow: allow },
    })
    return respond(error, c, options, work, headers)
  }
}

function respond(
  error: unknown,
  c: Context,
  options: ProblemsOptions,
  work: Work | undefined,
  headers: Headers,
): Response {
  const rendering = {
    ...(options.typeBase !== undefined && { typeBase: options.typeBase }),
    requestId: work?.id,
    development: isDevelopment(options, c.env),
  }
  return problemResponse(error, c.req.raw, rendering, headers)
}

/** Whether to show more, as far as that can be found out. */
export function isDevelopment({ development }: ProblemsOptions, env: unknown): boolean {
  if (typeof development !== 'function') return development === true
  try {
    return development((env ?? {}) as Record<string, unknown>) === true
  } catch {
    return false
  }
}

/** The unit of work of a request. Where the request context itself fails, only the Hono context still knows it. */
function workOf(c: Context): Work | undefined {
  return c.get('work') ?? currentWork()
}

/** Hands an error to whoever observes the work; to the console when nobody does. */
export function report(error: unknown, mechanism: FailureMechanism, work: Work | undefined): void {
  if (work?.fail) work.fail(error, mechanism)
  else complain(error, mechanism, work?.id)
}

/**
 * What was set so far, and a context without a response: Hono would else write the old response's header fields over
 * the new one's, its `Content-Encoding` among them.
 */
function takeHeaders(c: Context): Headers {
  const headers = new Headers(c.res.headers)
  c.res = undefined
  c.finalized = false
  return headers
}

/** The response that an `HTTPException` was made with. */
function ownResponse(error: unknown): Response | undefined {
  if (isBreakwaterError(error)) return undefined
  try {
    const exception = error as { res?: unknown; getResponse?: () => Response }
    if (!exception.res || typeof exception.getResponse !== 'function') return undefined
    const response = exception.getResponse()
    return response instanceof Response && !response.bodyUsed ? response : undefined
  } catch {
    return undefined // one that was used up before
  }
}

/**
 * Finds the caller's fault in what looks like ours: a body that is not JSON makes `c.req.json()` throw a `SyntaxError`,
 * and one that is not a form makes `c.req.formData()` throw a `TypeError`.
 */
async function recognize(error: unknown, c: Context): Promise<unknown> {
  try {
    if (error instanceof SyntaxError) {
      // Only when the body itself does not parse; what else the handler parsed is our own concern.
      const cached = await c.req.bodyCache.text
      if (typeof cached === 'string' && !isJson(cached)) {
        return new BreakwaterError('malformed-json', {
          status: 400,
          // Not the parser's error as the cause: it quotes from the body.
          detail: 'The body is not valid JSON.',
        })
      }
    } else if (error instanceof TypeError && !/used|disturbed|locked/i.test(error.message)) {
      for (const body of Object.values(c.req.bodyCache)) {
        const failure = await Promise.resolve(body).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        if (failure === error) {
          return new BreakwaterError('bad-request', {
            status: 400,
            detail: 'The body could not be read as what its Content-Type says.',
          })
        }
      }
    }
  } catch {}
  return error
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
