import { spanId } from './ids.ts'
import type { TraceContext, Work } from './work.ts'

/**
 * Continues the trace of the caller from its `traceparent` and `tracestate` (W3C Trace Context, level 1). A new span id
 * is made for our side.
 * @returns undefined when `traceparent` is absent or invalid; then a new trace begins.
 */
export function continueTrace(
  traceparent: string | null | undefined,
  tracestate?: string | null | (() => string | null),
): TraceContext | undefined {
  if (!traceparent) return undefined
  const match = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(traceparent)
  if (match === null) return undefined
  const [, version, trace = '', parent = '', flags = '', rest] = match
  // Version ff is forbidden; version 00 has exactly four fields; later ones may have more.
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (/^0+$/.test(trace) || /^0+$/.test(parent)) return undefined
  const given = typeof tracestate === 'function' ? tracestate() : tracestate
  const state = given && given.length <= 512 && /^[\x20-\x7e]+$/.test(given) ? given : undefined
  return {
    traceId: trace,
    spanId: spanId(),
    parentSpanId: parent,
    sampled: (Number.parseInt(flags, 16) & 1) === 1,
    ...(state !== undefined && { state }),
  }
}

/** The value of `traceparent` for what this work calls. */
export function traceparent(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`
}

/** Header fields that hand the trace of `work` on to another service. */
export function traceHeaders(work: Work): Record<string, string> {
  const { trace } = work
  return { traceparent: traceparent(trace), ...(trace.state !== undefined && { tracestate: trace.state }) }
}
