import { toHex } from '../core/bytes.ts'
import {
  currentWork,
  type FailureMechanism,
  type Reporter,
  type ReportHint,
  randomBytes,
  type Work,
} from '../core/index.ts'
import { slot } from '../core/slot.ts'
import { checkIn, monitorSlug } from './check-in.ts'
import type { RawEvent } from './client.ts'
import { parseDsn } from './dsn.ts'
import { envelope, type Identity } from './event.ts'
import { complainInstead, EventPipeline, type Met, rawMessage } from './event-pipeline.ts'
import { Fold } from './fold.ts'
import { type CaptureOptions, type Settings, settings } from './options.ts'
import { Outbox } from './outbox.ts'
import { type CheckedReport, vitalsEvent } from './page-report.ts'
import { toucan } from './toucan.ts'
import { inSample, type TraceExporter, traceOf } from './trace.ts'
import { transactionEvent } from './transaction.ts'
import { WorkCapture } from './work-capture.ts'

const HANDLED: Record<FailureMechanism, string> = {
  handler: 'hono',
  fetch: 'fetch',
  'wait-until': 'wait-until',
  queue: 'queue',
  scheduled: 'scheduled',
  other: 'generic',
}

const captures = slot<Work, WorkCapture>('capture')

/** What is captured of the current work. */
export function currentCapture(): WorkCapture | undefined {
  const work = currentWork()
  return work && captures.get(work)
}

const met = (): Met => {
  const work = currentWork()
  return { work, capture: work && captures.get(work) }
}

/** How a unit of work ended. */
export interface Ending {
  /** The reply's, for requests. */
  readonly status?: number | undefined
  readonly ok: boolean
  /** The cron expression, for ticks. */
  readonly cron?: string
}

/** Takes errors to the tracker. Give it as `reporter` to whatever asks for one. Never throws, never delays. */
export class Capture implements Reporter {
  /** Whether there is anywhere to tell. */
  readonly enabled: boolean
  readonly identity: Identity
  readonly #settings: Settings
  readonly #checkIns: CaptureOptions['checkIns']
  readonly #outbox: Outbox | undefined
  readonly #events: EventPipeline | undefined
  readonly #exporters: readonly TraceExporter[]
  readonly #forced = new Fold(30)

  constructor(options: CaptureOptions) {
    this.#settings = settings(options)
    this.#exporters = options.exporters ?? []
    this.#checkIns = options.checkIns ?? true
    this.identity = { release: options.release, environment: options.environment ?? 'production' }
    const { dsn } = options
    if (dsn !== undefined && dsn !== '') {
      // Called through a closure: the platform's fetch must not be called as a method of something else.
      const send = options.fetch ?? ((input, init) => fetch(input, init))
      this.#outbox = new Outbox(parseDsn(dsn).url, send)
      this.#events = new EventPipeline({
        outbox: this.#outbox,
        client: options.client ?? toucan(),
        identity: this.identity,
        settings: this.#settings,
        ignore: options.ignore,
      })
    }
    this.enabled = this.#outbox !== undefined || this.#exporters.length > 0
  }

  /** What was dropped and not told to the tracker yet, by `reason category`. */
  get dropped(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#outbox?.drops.counts ?? [])
  }

  captureException(error: unknown, hint: ReportHint = {}): void {
    this.#tell(met(), error, hint)
  }

  captureMessage(message: string, hint: ReportHint = {}): void {
    this.#events?.raw(met(), rawMessage(message), { level: 'info', ...hint })
  }

  /** What a page has told, after it was checked: its errors, and its vitals if the page's trace is in the sample. */
  page(report: CheckedReport, origin: string): void {
    const work = currentWork()
    const request = { method: 'GET', url: `${origin}${report.path}` }
    for (const error of report.errors) {
      const { type, value, mechanism, frames } = error
      const values = [{ type, value, stacktrace: { frames: [...frames] } }]
      const raw: RawEvent = { event_id: toHex(randomBytes(16)), exception: { values } }
      const trace = { trace_id: report.trace, span_id: report.span }
      const { path: transaction, debugIds } = report
      const around = { work: undefined, transaction, request, trace, debugIds }
      const hint = { mechanism, handled: mechanism === 'manual', tags: { work: 'page' } }
      this.#events?.tell({ work, capture: undefined }, raw, hint, around)
    }
    if (
      this.#outbox &&
      Object.keys(report.vitals).length > 0 &&
      this.#inSample(
        () => report.trace,
        'page',
        () => report.path,
      )
    ) {
      const body = envelope('transaction', vitalsEvent(report, this.identity, Date.now()))
      const sending = this.#outbox.send([{ category: 'transaction', body }])
      work?.waitUntil(sending)
    }
  }

  /** Begins to watch a unit of work. */
  begin(work: Work, request: Request | undefined, name: string): WorkCapture {
    const known = captures.get(work)
    if (known) return known
    const capture = new WorkCapture(work, request, name)
    capture.tells = this.#settings.tells
    captures.set(work, capture)
    work.observe?.({
      failed: (error, mechanism) => this.failed(capture, error, mechanism),
      span: (span) => capture.add(span),
      began: (inner) => this.#beginInner(inner),
    })
    return capture
  }

  /** A job of a batch: a transaction of its own. Its failures are told by whoever runs it. */
  #beginInner(inner: Work): (name: string, ok: boolean) => void {
    const capture = new WorkCapture(inner, undefined, () => `job ${inner.facts.get('job') ?? '[unclaimed]'}`)
    captures.set(inner, capture)
    inner.observe?.({ span: (span) => capture.add(span) })
    return (name, ok) => {
      capture.name = name
      this.end(capture, { ok })
    }
  }

  /** Something failed that nobody caught. */
  failed(capture: WorkCapture, error: unknown, mechanism: FailureMechanism): void {
    this.#tell({ work: capture.work, capture }, error, {
      mechanism: HANDLED[mechanism],
      handled: false,
      ...(mechanism === 'wait-until' && { tags: { behind_reply: 'true' } }),
    })
  }

  /** A reply that says 5xx though nothing was thrown. */
  returned(capture: WorkCapture, status: number): void {
    const { transaction } = capture.surroundings(false)
    const raw = rawMessage(`${transaction} answered ${status}`)
    this.#events?.raw({ work: capture.work, capture }, raw, {
      level: status >= 500 ? 'error' : 'warning',
      mechanism: 'response',
      handled: true,
      tags: { status: String(status), mechanism: 'response' },
      fingerprint: ['response', transaction, String(status)],
    })
  }

  /** The handler has ended: sends what was captured, and its trace if that is wanted. */
  end(capture: WorkCapture, ending: Ending): void {
    if (capture.ended) return
    capture.ended = true
    const { work, pending } = capture
    const end = Date.now()
    if (ending.cron !== undefined && this.#outbox && this.#checkIns) {
      const { cron, ok } = ending
      const named = typeof this.#checkIns === 'object' ? this.#checkIns[cron] : monitorSlug(cron)
      const outcome = { ok, duration: end - capture.start, traceId: work.trace.traceId }
      if (named) pending.push({ category: 'monitor', body: checkIn(named, cron, this.identity, outcome) })
    }
    if (this.enabled && this.#isTraced(capture, ending, end)) {
      const trace = traceOf(capture, this.identity, { end, status: ending.status, ok: ending.ok })
      if (this.#outbox) {
        const event = transactionEvent(trace, this.identity, capture.surroundings(false))
        pending.push({ category: 'transaction', body: envelope('transaction', event) })
      }
      for (const exporter of this.#exporters) work.waitUntil(exporter.export(trace))
    }
    if (this.#outbox && (pending.length > 0 || this.#outbox.size > 0)) {
      work.waitUntil(this.#outbox.send(pending.splice(0)))
    }
  }

  #tell(where: Met, error: unknown, hint: ReportHint): void {
    if (this.#events) this.#events.exception(where, error, hint)
    else complainInstead(where.capture, error, hint)
  }

  #inSample(traceId: () => string, kind: Work['kind'] | 'page', name: () => string): boolean {
    try {
      const rate = this.#settings.rate(kind, name)
      return rate > 0 && inSample(traceId(), rate)
    } catch {
      // A rule of the app's that fails is no reason to fail the work.
      return false
    }
  }

  #isTraced(capture: WorkCapture, { ok }: Ending, end: number): boolean {
    const { slow, forced } = this.#settings
    const { work } = capture
    if (
      this.#inSample(
        () => work.trace.traceId,
        work.kind,
        () => capture.surroundings(false).transaction,
      )
    )
      return true
    if (!forced || (ok && capture.errors === 0 && end - capture.start < slow)) return false
    // In an outage everything fails: some of it will do.
    return this.#forced.pass('') !== undefined
  }
}

/**
 * Makes a {@link Capture}. It holds nothing that belongs to a request, so it may live at module scope.
 * @throws TypeError when the DSN or another option is wrong.
 */
export function createCapture(options: CaptureOptions): Capture {
  return new Capture(options)
}
