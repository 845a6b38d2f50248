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
  /** Debug ids of the scripts that the errors run through, by their addresses. */
  readonly debug?: Readonly<Record<string, string>>
  /** How many more there were. */
  readonly dropped?: number
}

type Register = { readonly _sentryDebugIds?: Readonly<Record<string, string>> }

/** The debug ids of scripts that left theirs on the global object when they were loaded, as bundlers' plugins have it. */
export function debugIds(errors: readonly PageError[]): Record<string, string> | undefined {
  const files = new Set(errors.flatMap(({ frames }) => frames.map(({ filename }) => filename)))
  const found: Record<string, string> = {}
  for (const [stack, id] of Object.entries((globalThis as Register)._sentryDebugIds ?? {})) {
    const file = parseStack(stack).at(-1)?.filename
    if (file !== undefined && files.has(file)) found[file] = id
  }
  return Object.keys(found).length > 0 ? found : undefined
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
