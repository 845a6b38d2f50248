import { type Span, spanId } from '../core/index.ts'
import { redactText } from '../core/redact-text.ts'
import type { Identity } from './event.ts'
import type { WorkCapture } from './work-capture.ts'

/** A span of a {@link Trace}. */
export interface TraceSpan {
  /** 16 hexadecimal digits. */
  readonly id: string
  readonly parentId: string
  readonly op: string
  /** Masked; without parameters. */
  readonly name: string
  /** Milliseconds since the epoch. */
  readonly start: number
  /** Milliseconds. */
  readonly duration: number
  readonly ok: boolean
  readonly attributes?: Span['attributes']
}

/** One unit of work as an exporter gets it: its own span, and those below. */
export interface Trace {
  readonly traceId: string
  /** The work's own span. */
  readonly rootId: string
  /** The caller's span, when the trace began elsewhere. */
  readonly parentId?: string
  /** `request`, `queue`, `scheduled` or `other`. */
  readonly kind: string
  /** `GET /users/:id`, `queue jobs`, `job send-mail`. */
  readonly name: string
  readonly start: number
  readonly end: number
  /** HTTP's, for requests. */
  readonly status?: number
  readonly ok: boolean
  readonly requestId: string
  readonly release?: string
  readonly environment: string
  readonly spans: readonly TraceSpan[]
}

/** Takes traces somewhere. Never throws; resolves when there is nothing more to do. */
export interface TraceExporter {
  export(trace: Trace): Promise<void>
}

/** The trace of a work that has ended. */
export function traceOf(
  capture: WorkCapture,
  identity: Identity,
  outcome: { readonly end: number; readonly status: number | undefined; readonly ok: boolean },
): Trace {
  const { work } = capture
  const { traceId, spanId: rootId, parentSpanId } = work.trace
  const ids = capture.spans.map(() => spanId())
  return {
    traceId,
    rootId,
    ...(parentSpanId !== undefined && { parentId: parentSpanId }),
    kind: work.kind,
    name: capture.surroundings(false).transaction,
    start: capture.start,
    end: outcome.end,
    ...(outcome.status !== undefined && { status: outcome.status }),
    ok: outcome.ok,
    requestId: work.id,
    ...(identity.release !== undefined && { release: identity.release }),
    environment: identity.environment,
    spans: capture.spans.map(({ span, parent }, i) => ({
      id: ids[i] ?? rootId,
      parentId: (parent === undefined ? undefined : ids[parent]) ?? rootId,
      op: span.op,
      name: redactText(span.name, { maxLength: 300 }),
      start: span.start,
      duration: span.duration,
      ok: span.ok,
      ...(span.attributes && { attributes: span.attributes }),
    })),
  }
}

/**
 * Whether a trace is in the sample. Decided by the trace's id, so that everything that happens in one trace is kept or
 * dropped together, in whatever worker and whenever: the request, and the job it made.
 */
export function inSample(traceId: string, rate: number): boolean {
  return rate >= 1 || (rate > 0 && Number.parseInt(traceId.slice(-8), 16) < rate * 0x1_0000_0000)
}
