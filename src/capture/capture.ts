import {
  asError,
  currentWork,
  type FailureMechanism,
  type Reporter,
  type ReportHint,
  randomBytes,
  toHex,
  type Work,
} from '../core/index.ts'
import { redactText } from '../core/redact-text.ts'
import { workSlot } from '../core/work.ts'
import { parseDsn } from './dsn.ts'
import { envelope, errorEvent, type Identity, type RawEvent, type Surroundings } from './event.ts'
import { type Envelope, Outbox } from './outbox.ts'
import { requestData } from './request-data.ts'
import { toucanBuilder } from './toucan.ts'
import { transactionEvent } from './transaction.ts'

/** Options of {@link createCapture}. */
export interface CaptureOptions {
  /** Where events go: a Sentry DSN. Undefined or empty: nothing is captured, errors go to `console.error`. */
  readonly dsn: string | undefined
  /** What is running: a version id or a commit. Default: the tracker cannot tell versions apart. */
  readonly release?: string | undefined
  /** Default `production`. */
  readonly environment?: string
  /** Share of works of which a transaction is sent, 0 to 1. Default 0.1. */
  readonly tracesSampleRate?: number
  /** Errors that are told of one unit of work at most. Default 10. */
  readonly maxErrors?: number
  /** Errors that are not to be told, beside those that say so themselves. */
  readonly ignore?: (error: unknown) => boolean
  /** For tests, and for a tunnel. Default: the global `fetch`. */
  readonly fetch?: typeof fetch
}

/** What has been captured of one unit of work. */
export class WorkCapture {
  readonly work: Work
  readonly request: Request | undefined
  readonly name: string
  readonly start: number = Date.now()
  /** Errors that were told of. Made when there is one: weak collections cost the garbage collector dearly. */
  seen: WeakSet<object> | undefined
  readonly pending: Envelope[] = []
  /** The route's pattern; known once Hono has matched. */
  route: (() => string | undefined) | undefined
  errors = 0
  /** An error that says of itself that it is no news made the reply. */
  expected = false
  ended = false

  constructor(work: Work, request: Request | undefined, name: string) {
    this.work = work
    this.request = request
    this.name = name
  }

  surroundings(detailed = true): Surroundings {
    const { request } = this
    if (request === undefined) return { work: this.work, transaction: this.name, request: undefined }
    let route: string | undefined
    try {
      route = this.route?.()
    } catch {}
    return {
      work: this.work,
      transaction: `${request.method} ${route ?? '[unknown]'}`,
      request: requestData(request, route, detailed),
    }
  }
}

const HANDLED: Record<FailureMechanism, string> = {
  handler: 'hono',
  fetch: 'fetch',
  'wait-until': 'wait-until',
  queue: 'queue',
  scheduled: 'scheduled',
  other: 'generic',
}

const captures = workSlot<WorkCapture>('capture')

/** What is captured of the current work. */
export function currentCapture(): WorkCapture | undefined {
  const work = currentWork()
  return work && captures.get(work)
}

/** Takes errors to the tracker. Give it as `reporter` to whatever asks for one. Never throws, never delays. */
export class Capture implements Reporter {
  /** Whether there is a DSN. */
  readonly enabled: boolean
  readonly sampleRate: number
  readonly #identity: Identity
  readonly #build: (thrown: unknown) => RawEvent | undefined
  readonly #outbox: Outbox | undefined
  readonly #maxErrors: number
  readonly #ignore: ((error: unknown) => boolean) | undefined

  constructor(options: CaptureOptions) {
    const rate = options.tracesSampleRate ?? 0.1
    if (!(rate >= 0 && rate <= 1)) throw new TypeError('tracesSampleRate is a share, 0 to 1')
    const max = options.maxErrors ?? 10
    if (!Number.isInteger(max) || max < 1) throw new TypeError('maxErrors must be a positive integer')
    this.enabled = options.dsn !== undefined && options.dsn !== ''
    this.sampleRate = this.enabled ? rate : 0
    this.#identity = { release: options.release, environment: options.environment ?? 'production' }
    this.#maxErrors = max
    this.#ignore = options.ignore
    this.#build = this.enabled ? toucanBuilder(options.dsn as string) : () => undefined
    this.#outbox = this.enabled
      ? // Called through a closure: the platform's fetch must not be called as a method of something else.
        new Outbox(
          parseDsn(options.dsn as string).url,
          options.fetch ?? ((input, init) => fetch(input, init)),
        )
      : undefined
  }

  captureException(error: unknown, hint: ReportHint = {}): void {
    const work = currentWork()
    this.#capture(work, work && captures.get(work), error, hint)
  }

  captureMessage(message: string, hint: ReportHint = {}): void {
    const work = currentWork()
    this.#add(
      work,
      work && captures.get(work),
      { event_id: toHex(randomBytes(16)), message },
      { level: 'info', ...hint },
    )
  }

  /** Begins to watch a unit of work. */
  begin(work: Work, request: Request | undefined, name: string): WorkCapture {
    const known = captures.get(work)
    if (known) return known
    const capture = new WorkCapture(work, request, name)
    captures.set(work, capture)
    work.observe?.({
      failed: (error, mechanism) => this.failed(capture, error, mechanism),
    })
    return capture
  }

  /** Something failed that nobody caught. */
  failed(capture: WorkCapture, error: unknown, mechanism: FailureMechanism): void {
    this.#capture(capture.work, capture, error, {
      mechanism: HANDLED[mechanism],
      handled: false,
      ...(mechanism === 'wait-until' && { tags: { behind_reply: 'true' } }),
    })
  }

  /** A reply that says 5xx though nothing was thrown. */
  returned(capture: WorkCapture, status: number): void {
    const { transaction } = capture.surroundings(false)
    this.#add(
      capture.work,
      capture,
      { event_id: toHex(randomBytes(16)), message: `${transaction} answered ${status}` },
      {
        level: 'error',
        mechanism: 'response',
        handled: true,
        tags: { status: String(status), mechanism: 'response' },
        fingerprint: ['response', transaction, String(status)],
      },
    )
  }

  /** The handler has ended: sends what was captured, and a transaction if this work is in the sample. */
  end(capture: WorkCapture, status: number | undefined): void {
    if (capture.ended) return
    capture.ended = true
    const { pending } = capture
    if (this.sampleRate > 0 && Math.random() < this.sampleRate) {
      const times = { start: capture.start, end: Date.now() }
      const event = transactionEvent(capture.work, this.#identity, capture.surroundings(false), times, status)
      pending.push({ category: 'transaction', body: envelope('transaction', event) })
    }
    if (this.#outbox && (pending.length > 0 || this.#outbox.size > 0)) {
      capture.work.waitUntil(this.#outbox.send(pending.splice(0)))
    }
  }

  #capture(
    work: Work | undefined,
    capture: WorkCapture | undefined,
    thrown: unknown,
    hint: ReportHint,
  ): void {
    if (!this.enabled) {
      const { name, message } = asError(thrown)
      const text = redactText(`${name}: ${message}`)
      console.error(
        JSON.stringify({
          level: hint.level ?? 'error',
          mechanism: hint.mechanism,
          error: text,
          ...hint.tags,
        }),
      )
      return
    }
    try {
      if (typeof thrown === 'object' && thrown !== null) {
        // The same error is met on its way through several hands: the app's, Hono's, ours.
        if (capture?.seen?.has(thrown)) return
        if (capture) {
          capture.seen ??= new WeakSet()
          capture.seen.add(thrown)
        }
      }
      if (this.#ignore?.(thrown)) {
        if (capture) capture.expected = true
        return
      }
      const raw = this.#build(thrown)
      if (raw) this.#add(work, capture, raw, hint)
    } catch {
      // Whatever is wrong with the error or with us, the caller has enough to do.
    }
  }

  #add(work: Work | undefined, capture: WorkCapture | undefined, raw: RawEvent, hint: ReportHint): void {
    if (!this.#outbox) return
    try {
      if (capture && ++capture.errors > this.#maxErrors) return
      const around = capture?.surroundings() ?? {
        work,
        transaction: work?.kind ?? 'module',
        request: undefined,
      }
      const envelopes: Envelope[] = [
        { category: 'error', body: envelope('event', errorEvent(raw, hint, this.#identity, around)) },
      ]
      if (capture && !capture.ended) capture.pending.push(...envelopes)
      else {
        const sending = this.#outbox.send(envelopes)
        work?.waitUntil(sending)
      }
    } catch {}
  }
}

/**
 * Makes a {@link Capture}. It holds nothing that belongs to a request, so it may live at module scope.
 * @throws TypeError when the DSN or another option is wrong.
 */
export function createCapture(options: CaptureOptions): Capture {
  return new Capture(options)
}
