import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import { asError, isBreakwaterError } from '../core/errors.ts'
import { isNews, statusOf } from '../core/problem.ts'
import { redact } from '../core/redact.ts'
import { redactText } from '../core/redact-text.ts'
import { currentWork, type Work } from '../core/work.ts'
import {
  isLoud,
  type LogFields,
  type LogLevel,
  type LogWriter,
  member,
  safeFields,
  timeText,
  toLine,
  writeToConsole,
} from './line.ts'
import { workMembers, writeLine } from './logger.ts'
import { type LogSettings, useSettings } from './settings.ts'

/** Options of {@link log}. */
export interface LogOptions {
  /** The least level that is written. Default `info`. */
  readonly level?: LogLevel
  /** Where lines go. Default the console. */
  readonly write?: LogWriter
  /** More keys whose values are masked, beside those that name secrets and personal data. */
  readonly redact?: readonly string[]
  /** Also write the path itself, redacted and without its query. Default false: paths carry ids, patterns do not. */
  readonly path?: boolean
  /** Keep IP addresses, and write the caller's. Default false. */
  readonly addresses?: boolean
  /** Share of the requests below 400 that get a line, 0 to 1; failures always do. Default 1. */
  readonly sample?: number
  /** Requests that get no line unless they fail with a 5xx, such as health checks. */
  readonly skip?: (c: Context) => boolean
  /** More fields for the line of a request; redacted. */
  readonly fields?: (c: Context) => LogFields
}

/**
 * One line of JSON for each request, written after the reply was made: level, method, route pattern, status, duration,
 * request and trace id, user id, round trips, and the error of a failure. It also lets `logger` write within the request,
 * and takes failures that nobody else reports. Mount it right after `requestContext()`.
 * @throws TypeError when built with wrong options.
 */
export function log(options: LogOptions = {}): MiddlewareHandler {
  const { sample = 1 } = options
  if (!(sample >= 0 && sample <= 1)) throw new TypeError('sample must lie between 0 and 1')
  const settings: LogSettings = {
    level: options.level ?? 'info',
    write: options.write ?? writeToConsole,
    keys: options.redact ?? [],
    keepAddresses: options.addresses ?? false,
  }
  isLoud(settings.level, 'info')

  return async function log(c, next): Promise<void> {
    const start = Date.now()
    const work: Work | undefined = currentWork()
    let failure: unknown
    let written = false
    const finish = (status: number, error: unknown): void => {
      if (!written) write(c, settings, options, sample, start, work, status, error)
      written = true
    }
    if (work) {
      useSettings(work, settings)
      work.observe?.({
        failed(error, mechanism) {
          // The line of the request tells about the first; a promise that outlives it needs a line of its own.
          if (mechanism === 'handler') {
            failure ??= error
            // The reply has gone out while the handler still hangs; its line must not wait for it.
            if (isBreakwaterError(error) && error.code === 'deadline-exceeded') finish(error.status, error)
          } else writeLine('error', `failed: ${mechanism}`, { error }, work)
        },
      })
    }
    try {
      await next()
    } catch (error) {
      finish(statusOf(error), error)
      throw asError(error)
    }
    finish(c.res.status, failure ?? c.error)
  }
}

function write(
  c: Context,
  settings: LogSettings,
  options: LogOptions,
  sample: number,
  start: number,
  work: Work | undefined,
  status: number,
  error: unknown,
): void {
  try {
    if (status < 500 && options.skip?.(c)) return
    if (status < 400 && sample < 1 && Math.random() >= sample) return
    const level: LogLevel = status >= 500 ? 'error' : status >= 400 ? 'warn' : 'info'
    if (!isLoud(level, settings.level)) return
    const { method } = c.req
    const route = routeOf(c)
    let members =
      member('time', timeText(start)) +
      member('level', level) +
      member('message', `${method} ${route ?? '(no route)'} ${status}`) +
      member('method', method) +
      member('route', route)
    if (options.path) members += member('path', redactText(c.req.path, settings))
    members += member('status', status) + member('duration', Date.now() - start) + workMembers(work)
    if (options.addresses) members += member('address', c.req.header('cf-connecting-ip'))
    members += member('roundTrips', work?.spans?.length || undefined)
    let fields = options.fields && safeFields(options.fields(c), settings.keys, settings.keepAddresses)
    if (error !== undefined) fields = { ...fields, error: describe(error, settings) }
    settings.write(toLine(members, fields), level)
  } catch {} // a log must not break what it watches
}

/** A failure in full; a refusal by its code. */
function describe(error: unknown, settings: LogSettings): unknown {
  if (isNews(error)) return redact(error, settings)
  const { code, message } = error as { code?: unknown; message?: unknown }
  return {
    ...(typeof code === 'string' && { code }),
    ...(typeof message === 'string' && { message: redactText(message, settings) }),
  }
}

/** The pattern of the route that the path belongs to, even when a middleware answered before it was reached. */
function routeOf(c: Context): string | undefined {
  const routes = matchedRoutes(c)
  for (let i = routes.length - 1; i >= 0; i--) {
    const route = routes[i]
    if (route && (route.method !== 'ALL' || !route.path.endsWith('*'))) return route.path
  }
  return undefined
}
