import { AsyncLocalStorage } from 'node:async_hooks'

/** W3C trace context of a unit of work. */
export interface TraceContext {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string
  /** 16 lower-case hexadecimal digits: the span this work runs under. */
  readonly spanId: string
  readonly sampled: boolean
  /** The caller's span, when the work continues a trace that began elsewhere. */
  readonly parentSpanId?: string
  /** The caller's `tracestate`, to be passed on as it came. */
  readonly state?: string
  /** Sentry's entries of the caller's `baggage` (its sampling context), to be passed on as they came. */
  readonly baggage?: string
}

/** Something that took time inside a unit of work: a statement, a Redis pipeline, an outgoing request. */
export interface Span {
  /** `db.query`, `db.redis`, `http.client`, `object-store`, `queue.publish`, `middleware` … (OpenTelemetry's vocabulary where it has one). */
  readonly op: string
  /** Without parameters and personal data: a fingerprint, a route pattern, a command name. */
  readonly name: string
  /** Milliseconds since the epoch. */
  readonly start: number
  /** Milliseconds. Workers' clocks stand still between I/O, so pure CPU shows as 0. */
  readonly duration: number
  readonly ok: boolean
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
}

/**
 * A unit of work: a request, a batch of queue messages, a cron tick, a command. It is carried by
 * AsyncLocalStorage (native in workerd), so that an adapter can find its deadline and its trace without every
 * signature handing them down.
 */
export interface Work {
  readonly kind: 'request' | 'queue' | 'scheduled' | 'other'
  /** Identifies this work in replies, logs and events. */
  readonly id: string
  readonly trace: TraceContext
  /** Aborted when the caller went away or the time budget is spent. */
  readonly signal: AbortSignal
  /** Milliseconds since the epoch by which the work must be answered; undefined when there is no budget. */
  readonly deadline?: number
  /** Runs a promise past the reply. Rejections are the observer's to report. */
  waitUntil(promise: Promise<unknown>): void
  /** Tells whoever listens (capture, logs, Server-Timing) that something took time. */
  record(span: Span): void
  /** Facts for logs and events, filled in as they become known: `route`, `userId`, `sessionId` … */
  readonly facts: Map<string, string | number | boolean>
  /** The spans recorded so far, oldest first; at most 200, the rest is only observed. */
  readonly spans?: readonly Span[]
  /** Adds a listener for what happens in this work from now on. */
  observe?(observer: WorkObserver): void
  /** Tells the observers that something failed which nobody else will report. Never throws. */
  fail?(error: unknown, mechanism: FailureMechanism): void
  /**
   * Tells the observers that a unit of work of its own begins inside of this one: one job of a batch.
   * @returns to be called when it has ended, with its name and how it went.
   */
  begin?(inner: Work): (name: string, ok: boolean) => void
}

/** Where a failure was met: in a handler, outside of Hono, in a promise given to `waitUntil`, or in other work. */
export type FailureMechanism = 'handler' | 'fetch' | 'wait-until' | 'queue' | 'scheduled' | 'other'

/** Listens to one unit of work. What it throws is dropped: observing never changes the outcome. */
export interface WorkObserver {
  /** Something took time. */
  span?(span: Span): void
  /**
   * An error that is news: one that made a 5xx reply, or a rejected `waitUntil`. While any observer of a work has
   * this method, the error is taken as reported; without one it goes to `console.error`, with a
   * scrubbed message.
   */
  failed?(error: unknown, mechanism: FailureMechanism): void
  /** A unit of work begins inside of this one. What is returned hears when it has ended. */
  began?(inner: Work): (name: string, ok: boolean) => void
}

const storage = new AsyncLocalStorage<Work>()

/** The unit of work this code runs in, or undefined outside of any. */
export function currentWork(): Work | undefined {
  return storage.getStore()
}

/** Runs `fn` inside `work`: {@link currentWork} finds it there, across awaits. */
export function runWork<T>(work: Work, fn: () => T): T {
  return storage.getStore() === work ? fn() : storage.run(work, fn)
}

/** Times `fn` as a span of the current work. Does nothing but call `fn` where there is none. */
export async function span<T>(
  op: string,
  name: string,
  fn: () => Promise<T>,
  attributes?: Span['attributes'],
): Promise<T> {
  const work = storage.getStore()
  if (work === undefined) return fn()
  const start = Date.now()
  let ok = false
  try {
    const value = await fn()
    ok = true
    return value
  } finally {
    work.record({ op, name, start, duration: Date.now() - start, ok, ...(attributes && { attributes }) })
  }
}
