import { parseStack, type StackFrame } from '../../core/stack.ts'

/** One error, as the page tells it to `captureTunnel`. */
export interface PageError {
  readonly type: string
  readonly value: string
  readonly frames: readonly StackFrame[]
  /** How it was met: `onerror`, `onunhandledrejection`, `fetch`, `manual`. */
  readonly mechanism: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** What the page sends. */
export interface PageReport {
  readonly v: 1
  /** 32 and 16 hexadecimal digits: the page's trace, which the server's continue. */
  readonly trace: string
  readonly span: string
  /** The page's path, without query and fragment. */
  readonly path: string
  readonly release?: string
  readonly errors: readonly PageError[]
  /** Milliseconds, `cls` apart, which has no unit. */
  readonly vitals?: Readonly<Record<string, number>>
  /** How many more there were. */
  readonly dropped?: number
}

/** An error, or whatever was thrown in its place, in the form that is sent. */
export function pageError(thrown: unknown, mechanism: string, at: number): PageError {
  const error = thrown instanceof Error ? thrown : undefined
  return {
    type: (error?.name || (error ? 'Error' : `Thrown ${typeof thrown}`)).slice(0, 100),
    // The members of an object may be anything.
    value: (error ? error.message : typeof thrown === 'object' ? '' : String(thrown)).slice(0, 1000),
    frames: parseStack(error?.stack ?? '').slice(-30),
    mechanism,
    at,
  }
}
