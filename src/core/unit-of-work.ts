import { describeError, scrub } from './describe.ts'
import { BreakwaterError } from './errors.ts'
import { spanId, traceId, uuidv7 } from './ids.ts'
import type { FailureMechanism, Span, TraceContext, Work, WorkObserver } from './work.ts'

/** How many spans a unit of work keeps for its log line; a runaway loop must not fill the isolate. */
const MAX_SPANS = 200

/** The part of `ExecutionContext` that work needs. */
export interface WaitUntil {
  waitUntil(promise: Promise<unknown>): void
}

/** What a unit of work may be given; everything has a default. */
export interface WorkOptions {
  /** Default: a new UUID version 7. */
  readonly id?: string
  /** May be a thunk, called when needed. Default: a new trace, made when first asked for. */
  readonly trace?: TraceContext | (() => TraceContext | undefined)
  /** Milliseconds from now until the work must be done. Default: no budget. */
  readonly budget?: number
  /** Aborts the work's signal as well: the request's own signal, for example. May be a thunk, called when needed. */
  readonly signal?: AbortSignal | (() => AbortSignal | undefined)
  /** Shares the facts of another unit. */
  readonly facts?: Map<string, string | number | boolean>
}

/** A unit of work that makes its signal and its trace only when somebody asks for them. */
export class UnitOfWork implements Work {
  readonly kind: Work['kind']
  readonly facts: Map<string, string | number | boolean>
  readonly spans: Span[] = []
  deadline?: number
  readonly #context: WaitUntil | (() => WaitUntil | undefined) | undefined
  readonly #outer: WorkOptions['signal']
  #id: string | undefined
  #trace: WorkOptions['trace']
  #observers: WorkObserver[] | undefined
  #controller: AbortController | undefined
  #signal: AbortSignal | undefined
  #expired: BreakwaterError | undefined

  constructor(
    kind: Work['kind'],
    context: WaitUntil | (() => WaitUntil | undefined) | undefined,
    options: WorkOptions = {},
  ) {
    this.kind = kind
    this.#id = options.id
    this.facts = options.facts ?? new Map()
    this.#context = context
    this.#trace = options.trace
    this.#outer = options.signal
    if (options.budget !== undefined) this.deadline = Date.now() + options.budget
  }

  get id(): string {
    this.#id ??= uuidv7()
    return this.#id
  }

  /** Takes an id over from the caller, unless the work already goes by another. */
  goBy(id: string): void {
    this.#id ??= id
  }

  get trace(): TraceContext {
    if (typeof this.#trace === 'function') this.#trace = this.#trace()
    this.#trace ??= { traceId: traceId(), spanId: spanId(), sampled: true }
    return this.#trace
  }

  /** Leaves the caller's trace, if it continues one, and begins its own. */
  leaveTrace(): void {
    if (typeof this.#trace === 'function' || this.#trace?.parentSpanId !== undefined) this.#trace = undefined
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#controller = new AbortController()
      if (this.#expired) this.#controller.abort(this.#expired)
      const outer = typeof this.#outer === 'function' ? this.#outer() : this.#outer
      this.#signal = outer ? AbortSignal.any([outer, this.#controller.signal]) : this.#controller.signal
    }
    return this.#signal
  }

  /** Aborts the signal: the time budget is spent. */
  expire(error: BreakwaterError): void {
    this.#expired ??= error
    this.#controller?.abort(this.#expired)
  }

  waitUntil(promise: Promise<unknown>): void {
    const watched = Promise.resolve(promise).then(undefined, (error) => this.fail(error, 'wait-until'))
    const context = typeof this.#context === 'function' ? this.#context() : this.#context
    context?.waitUntil(watched)
  }

  record(span: Span): void {
    if (this.spans.length < MAX_SPANS) this.spans.push(span)
    for (const observer of this.#observers ?? []) {
      try {
        observer.span?.(span)
      } catch {}
    }
  }

  observe(observer: WorkObserver): void {
    this.#observers ??= []
    this.#observers.push(observer)
  }

  fail(error: unknown, mechanism: FailureMechanism): void {
    let heard = false
    for (const observer of this.#observers ?? []) {
      if (observer.failed === undefined) continue
      heard = true
      try {
        observer.failed(error, mechanism)
      } catch {}
    }
    if (!heard) complain(error, mechanism, this.id)
  }

  begin(inner: Work): (name: string, ok: boolean) => void {
    const ends: ((name: string, ok: boolean) => void)[] = []
    for (const observer of this.#observers ?? []) {
      try {
        const ended = observer.began?.(inner)
        if (ended) ends.push(ended)
      } catch {}
    }
    return (name, ok) => {
      for (const ended of ends) {
        try {
          ended(name, ok)
        } catch {}
      }
    }
  }
}

/** The last resort, so that an error is never lost where neither logs nor capture are installed. */
export function complain(error: unknown, mechanism: FailureMechanism, requestId?: string): void {
  const { name, message, stack } = describeError(error)
  console.error(
    JSON.stringify({ level: 'error', mechanism, requestId, error: { name, message: scrub(message), stack } }),
  )
}

/**
 * Begins a unit of work outside of HTTP: a batch of queue messages, a cron tick, a command. Run it with `runWork`.
 * @param kind What kind of work.
 * @param context The `ExecutionContext` that the runtime handed over; without one, `waitUntil` only watches.
 */
export function workFor(kind: Work['kind'], context?: WaitUntil, options?: WorkOptions): Work {
  return new UnitOfWork(kind, context, options)
}

/**
 * Runs `fn` for at most `budget` milliseconds. When they are over, the signal of `work` is aborted and the result is a
 * `deadline-exceeded` error, whether or not `fn` listens to the signal. `fn` is not stopped by this; its late
 * outcome is dropped.
 */
export async function withBudget<T>(work: UnitOfWork, budget: number, fn: () => Promise<T>): Promise<T> {
  const running = fn()
  let settled = false
  const settle = (): void => {
    settled = true
  }
  running.then(settle, settle)
  // A timer costs as much as the rest of a small request. What waits for nothing is done after a few microtasks.
  for (let i = 0; i < 48; i++) {
    if (settled) return running
    await undefined
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new BreakwaterError('deadline-exceeded', {
        status: 504,
        detail: 'The request took longer than its time budget.',
      })
      work.expire(error)
      reject(error)
    }, budget)
  })
  try {
    return await Promise.race([running, late])
  } finally {
    clearTimeout(timer)
  }
}
