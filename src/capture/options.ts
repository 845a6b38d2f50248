import { type Duration, milliseconds, type Work } from '../core/index.ts'
import type { EventClient } from './client.ts'
import type { TraceExporter } from './trace.ts'

/** Gives the share of traces of one kind and name that are sent, 0 to 1. */
export type SampleRule = (kind: Work['kind'] | 'page', name: string) => number

/** Options of `createCapture`. */
export interface CaptureOptions {
  /** Where events go: a Sentry DSN. Undefined or empty: nothing is captured, errors go to `console.error`. */
  readonly dsn: string | undefined
  /** What is running: a version id or a commit. Default: the tracker cannot tell versions apart. */
  readonly release?: string | undefined
  /** Default `production`. */
  readonly environment?: string
  /**
   * Share of traces that are sent, 0 to 1, or a rule that gives it by the kind of work (`page` for a page's load) and its name,
   * `GET /users/:id` or `job send-mail`. Decided by the trace's id: of two works in one trace, the one of the lower share is
   * in the sample only when the other is. Default 0.1.
   */
  readonly tracesSampleRate?: number | SampleRule
  /** Works that failed, or took this long, are traced whatever the sample says, 30 a minute at most. `false`: they are not. Default 2 s. */
  readonly slow?: Duration | false
  /** Errors that are told of one unit of work at most. Default 10. */
  readonly maxErrors?: number
  /** How many events of one kind an isolate sends a minute; the rest is counted. Default 10. */
  readonly maxAlike?: number
  /** Statuses below 500 that are told as well, thrown or returned, such as `[403]`. Default none. */
  readonly statuses?: readonly number[]
  /** Errors that are not to be told, beside those that say so themselves. */
  readonly ignore?: (error: unknown) => boolean
  /**
   * Check-ins of cron ticks with Sentry's monitors: by a name made of the cron expression, or by the names given here.
   * Default true.
   */
  readonly checkIns?: boolean | Readonly<Record<string, string>>
  /** What reads errors and their stacks. Default toucan-js. */
  readonly client?: EventClient
  /** Where traces go besides, such as `otlp({ endpoint })`. */
  readonly exporters?: readonly TraceExporter[]
  /** For tests, and for a tunnel. Default: the global `fetch`. */
  readonly fetch?: typeof fetch
}

/** The options with their defaults. */
export interface Settings {
  /** The share of such traces that are sent; the name is asked for where a rule wants it. */
  rate(kind: Work['kind'] | 'page', name: () => string): number
  /** Milliseconds; infinite: never. */
  readonly slow: number
  readonly forced: boolean
  readonly maxErrors: number
  readonly maxAlike: number
  /** Whether a reply of this status is told. */
  tells(status: number): boolean
}

function count(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 1) throw new TypeError(`${name} must be a positive integer`)
  return value
}

/**
 * Checks the options.
 * @throws TypeError when one is wrong.
 */
export function settings(options: CaptureOptions): Settings {
  const rate = options.tracesSampleRate ?? 0.1
  if (typeof rate !== 'function' && !(rate >= 0 && rate <= 1))
    throw new TypeError('tracesSampleRate is a share, 0 to 1, or a rule')
  const slow = options.slow ?? '2 s'
  const statuses = new Set(options.statuses)
  return {
    rate: typeof rate === 'number' ? () => rate : (kind, name) => rate(kind, name()),
    slow: slow === false ? Number.POSITIVE_INFINITY : milliseconds(slow),
    forced: slow !== false,
    maxErrors: count('maxErrors', options.maxErrors ?? 10),
    maxAlike: count('maxAlike', options.maxAlike ?? 10),
    tells: (status) => status >= 500 || statuses.has(status),
  }
}
