import type { MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import {
  currentWork,
  type Duration,
  milliseconds,
  type Reporter,
  type Span,
  type Work,
} from '../core/index.ts'

/** Options of {@link queryMonitor} and {@link watchQueries}. */
export interface QueryMonitorOptions {
  /** Who is told of slow and repeated statements. Default: nobody. */
  readonly reporter?: Pick<Reporter, 'captureMessage'>
  /** From where on a statement is slow. Default 500 ms. */
  readonly slow?: Duration
  /** How often one statement must run in one unit of work to be called N+1. Default 10. */
  readonly repeated?: number
  /** The same is reported once in this time, by each isolate. Default 10 minutes. */
  readonly quiet?: Duration
  /** Tell the browser by `Server-Timing`: for development, since it shows statements. Default false. */
  readonly serverTiming?: boolean
}

/** What one statement came to in one unit of work. */
export interface StatementTotals {
  /** The fingerprint: no values. */
  readonly statement: string
  /** Round trips. */
  readonly count: number
  readonly milliseconds: number
  readonly slowest: number
  readonly rows: number
}

/** What is watched of one unit of work. */
export interface QueryWatch {
  /** What ran so far, the costliest first. */
  statements(): StatementTotals[]
  /** Reports what was slow or repeated. Call it once, at the end. */
  finish(where: string): void
}

interface Settings {
  readonly reporter: QueryMonitorOptions['reporter']
  readonly slow: number
  readonly repeated: number
  readonly quiet: number
}

function settingsOf(options: QueryMonitorOptions): Settings {
  const { repeated = 10 } = options
  if (!Number.isInteger(repeated) || repeated < 2)
    throw new TypeError('repeated must be a whole number above 1')
  return {
    reporter: options.reporter,
    slow: milliseconds(options.slow ?? '500 ms'),
    repeated,
    quiet: milliseconds(options.quiet ?? '10 m'),
  }
}

// What was reported lately; bounded, since fingerprints of an application are few.
const reported = new Map<string, number>()
const MAX_REPORTED = 500

function isNews(key: string, quiet: number): boolean {
  const now = Date.now()
  if (now - (reported.get(key) ?? Number.NEGATIVE_INFINITY) < quiet) return false
  if (reported.size >= MAX_REPORTED) reported.clear()
  reported.set(key, now)
  return true
}

/** What opens and ends transactions may repeat. */
const FRAME = /^(begin|commit|rollback|savepoint|release|batch:)/i

function watch(work: Work, settings: Settings): QueryWatch {
  const totals = new Map<string, { count: number; milliseconds: number; slowest: number; rows: number }>()
  work.observe?.({
    span({ op, name, duration, attributes }: Span) {
      if (op !== 'db.query') return
      const one = totals.get(name) ?? { count: 0, milliseconds: 0, slowest: 0, rows: 0 }
      totals.set(name, one)
      one.count += 1
      one.milliseconds += duration
      one.slowest = Math.max(one.slowest, duration)
      one.rows += Number(attributes?.['rows'] ?? 0)
    },
  })
  const report = (kind: string, where: string, message: string, one: StatementTotals): void => {
    if (!isNews(`${kind} ${where} ${one.statement}`, settings.quiet)) return
    settings.reporter?.captureMessage(message, {
      level: 'warning',
      mechanism: 'db',
      tags: { kind, where },
      extra: { ...one },
      fingerprint: [kind, where, one.statement],
    })
  }
  const statements = (): StatementTotals[] =>
    [...totals]
      .map(([statement, one]) => ({ statement, ...one }))
      .sort((a, b) => b.milliseconds - a.milliseconds || b.count - a.count)
  return {
    statements,
    finish(where) {
      if (settings.reporter === undefined) return
      for (const one of statements()) {
        if (one.count >= settings.repeated && !FRAME.test(one.statement)) {
          report('n-plus-one', where, `N+1: one statement ran ${one.count} times in ${where}`, one)
        }
        if (one.slowest >= settings.slow) {
          report('slow-query', where, `A statement took ${Math.round(one.slowest)} ms in ${where}`, one)
        }
      }
    },
  }
}

/** Watches a unit of work that is no request: a cron tick, a batch of messages. */
export function watchQueries(work: Work, options: QueryMonitorOptions = {}): QueryWatch {
  return watch(work, settingsOf(options))
}

const MOST_SHOWN = 10

/** A quoted-string of a header field: what does not belong into one is left out. */
const quoted = (text: string): string =>
  `"${text
    .replace(/[^\x20-\x7e]/g, '.')
    .replace(/[\\"]/g, "'")
    .slice(0, 120)}"`

function serverTiming(statements: readonly StatementTotals[]): string {
  const count = statements.reduce((sum, one) => sum + one.count, 0)
  const time = statements.reduce((sum, one) => sum + one.milliseconds, 0)
  const entry = (name: string, duration: number, text: string): string =>
    `${name};dur=${Math.round(duration * 10) / 10};desc=${quoted(text)}`
  return [
    entry('db', time, `${count} round trips`),
    ...statements
      .slice(0, MOST_SHOWN)
      .map((one, at) =>
        entry(`db${at + 1}`, one.milliseconds, `${one.count}x ${one.rows} rows ${one.statement}`),
      ),
  ].join(', ')
}

/**
 * Watches every statement of a request: by fingerprint, with its time, rows and round trips, never its parameters.
 * Slow statements, and those that a request runs again and again (N+1), are reported with the route they ran in. Mount
 * it after `requestContext()`, before what uses the database.
 *
 * @throws TypeError when built with wrong options
 */
export function queryMonitor(options: QueryMonitorOptions = {}): MiddlewareHandler {
  const settings = settingsOf(options)
  const { serverTiming: shown = false } = options
  return async function queryMonitor(c, next): Promise<void> {
    const work = currentWork()
    if (work === undefined) return next()
    const watched = watch(work, settings)
    await next()
    const route = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path ?? '/*'
    watched.finish(`${c.req.method} ${route}`)
    if (!shown) return
    const statements = watched.statements()
    if (statements.length > 0) c.res.headers.append('Server-Timing', serverTiming(statements))
  }
}
