import type { Context, MiddlewareHandler } from 'hono'
import { asError } from '../core/errors.ts'
import { onReply } from '../core/headers.ts'
import { type BodyLimitOptions, bodyFault, compileLimits, guardBody, withLimits } from './body-limit.ts'
import { type CorsOptions, corsPolicy } from './cors.ts'
import { type CsrfOptions, csrfGuard } from './csrf.ts'
import { headerPolicy, type SecureEnv, type SecureHeadersOptions } from './headers.ts'
import type { Origins } from './origins.ts'

/** Options of {@link secure}. `false` leaves a part out. */
export interface SecureOptions {
  /** Security header fields. */
  readonly headers?: SecureHeadersOptions | false
  /** Who else may read replies. Default nobody: no CORS. */
  readonly cors?: CorsOptions | false
  /** Refusal of cross-site requests. The origins of `cors` with credentials are trusted as well. */
  readonly csrf?: CsrfOptions | false
  /** Limits of request bodies. */
  readonly body?: BodyLimitOptions | false
}

/**
 * The secure defaults in one middleware: header fields, CORS, CSRF and body limits. Mount it right after
 * `requestContext()`. Each part also stands alone: `secureHeaders`, `cors`, `csrf`, `bodyLimit`.
 *
 * @example
 * ```ts
 * app.use(requestContext(), secure({ cors: { origins: ['https://app.example.com'], credentials: true } }))
 * ```
 * @throws TypeError when built with options that are wrong or unsafe.
 */
export function secure(options: SecureOptions = {}): MiddlewareHandler<SecureEnv> {
  const headers = options.headers === false ? undefined : headerPolicy(options.headers)
  const cors = options.cors ? corsPolicy(options.cors) : undefined
  const csrf = options.csrf === false ? undefined : csrfGuard(withCorsOrigins(options))
  const limits = options.body === false ? undefined : compileLimits(options.body ?? {})

  const finish = (c: Context, reply: Headers): void => {
    cors?.apply(c, reply)
    headers?.apply(c, reply)
  }

  const handler: MiddlewareHandler<SecureEnv> = async function secure(c, next) {
    headers?.begin(c)
    const preflight = cors?.preflight(c)
    if (preflight) {
      headers?.apply(c, preflight.headers)
      return preflight
    }
    try {
      csrf?.(c)
      if (limits) guardBody(c, limits)
      await next()
      const fault = limits && bodyFault(c)
      if (fault) throw fault
    } catch (error) {
      // The reply will be made from the context by whoever renders errors.
      onReply(c, finish)
      throw asError(error)
    }
    onReply(c, finish)
    return undefined
  }
  return limits ? withLimits(handler, limits) : handler
}

function withCorsOrigins({ cors, csrf }: SecureOptions): CsrfOptions {
  const own = csrf || {}
  if (!cors || cors.origins === '*') return own
  if (cors.credentials !== true) return own
  const { origins } = cors
  return { ...own, origins: own.origins === undefined ? origins : both(own.origins, origins) }
}

function both(a: Origins, b: Origins): Origins {
  if (typeof a !== 'function' && typeof b !== 'function') return [...a, ...b]
  const list = (origins: Origins, c: Context): readonly string[] =>
    typeof origins === 'function' ? origins(c) : origins
  return (c) => [...list(a, c), ...list(b, c)]
}
