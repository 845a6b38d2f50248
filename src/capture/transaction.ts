import { toHex } from '../core/bytes.ts'
import { randomBytes } from '../core/index.ts'
import { common, type Identity, type Surroundings } from './event.ts'
import type { Trace } from './trace.ts'

const OPS: Readonly<Record<string, string>> = {
  request: 'http.server',
  queue: 'queue.process',
  scheduled: 'scheduled',
  other: 'task',
}

/** One work as a transaction: how long it took, and its spans. */
export function transactionEvent(
  trace: Trace,
  identity: Identity,
  around: Surroundings,
): Record<string, unknown> {
  const { traceId, status, ok } = trace
  return {
    ...common(identity, around),
    type: 'transaction',
    event_id: toHex(randomBytes(16)),
    transaction: trace.name,
    start_timestamp: trace.start / 1000,
    timestamp: trace.end / 1000,
    transaction_info: { source: 'route' },
    tags: { request_id: trace.requestId, work: trace.kind },
    contexts: {
      trace: {
        trace_id: traceId,
        span_id: trace.rootId,
        ...(trace.parentId !== undefined && { parent_span_id: trace.parentId }),
        op: OPS[trace.kind] ?? 'task',
        status: !ok ? 'internal_error' : status === undefined || status < 400 ? 'ok' : 'invalid_argument',
        ...(status !== undefined && { data: { 'http.response.status_code': status } }),
      },
    },
    spans: trace.spans.map(({ id, parentId, op, name, start, duration, ok, attributes }) => ({
      trace_id: traceId,
      span_id: id,
      parent_span_id: parentId,
      op,
      description: name,
      start_timestamp: start / 1000,
      timestamp: (start + duration) / 1000,
      status: ok ? 'ok' : 'internal_error',
      ...(attributes && { data: attributes }),
    })),
  }
}
