import { randomBytes, spanId, toHex, type Work } from '../core/index.ts'
import { redactText } from '../core/redact-text.ts'
import { common, type Identity, type Surroundings } from './event.ts'

const OPS = { request: 'http.server', queue: 'queue.process', scheduled: 'scheduled', other: 'task' } as const

/** One work as a transaction: how long it took, and its spans. */
export function transactionEvent(
  work: Work,
  identity: Identity,
  around: Surroundings,
  times: { readonly start: number; readonly end: number },
  status: number | undefined,
): Record<string, unknown> {
  const { traceId, spanId: root, parentSpanId } = work.trace
  return {
    ...common(identity, around),
    type: 'transaction',
    event_id: toHex(randomBytes(16)),
    start_timestamp: times.start / 1000,
    timestamp: times.end / 1000,
    transaction_info: { source: 'route' },
    tags: { request_id: work.id, work: work.kind },
    contexts: {
      trace: {
        trace_id: traceId,
        span_id: root,
        ...(parentSpanId !== undefined && { parent_span_id: parentSpanId }),
        op: OPS[work.kind],
        status:
          status === undefined || status < 400 ? 'ok' : status < 500 ? 'invalid_argument' : 'internal_error',
        ...(status !== undefined && { data: { 'http.response.status_code': status } }),
      },
    },
    spans: (work.spans ?? []).map(({ op, name, start, duration, ok }) => ({
      trace_id: traceId,
      span_id: spanId(),
      parent_span_id: root,
      op,
      description: redactText(name, { maxLength: 300 }),
      start_timestamp: start / 1000,
      timestamp: (start + duration) / 1000,
      status: ok ? 'ok' : 'internal_error',
    })),
  }
}
