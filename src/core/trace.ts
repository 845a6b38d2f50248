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

/**
 * The trace of a caller as it stands in a request's header fields: W3C's `traceparent`, or else `sentry-trace`, as
 * Sentry's SDKs in browsers send it; with Sentry's part of `baggage`, and nothing else of it.
 * @returns undefined when neither is there and valid.
 */
export function incomingTrace(headers: Headers): TraceContext | undefined {
  const trace =
    continueTrace(headers.get('traceparent'), () => headers.get('tracestate')) ??
    continueTrace(fromSentryTrace(headers.get('sentry-trace')))
  if (trace === undefined) return undefined
  const baggage = sentryBaggage(headers.get('baggage'))
  return baggage === undefined ? trace : { ...trace, baggage }
}

/** `sentry-trace`, `<trace>-<span>[-<sampled>]`, as a `traceparent`. */
function fromSentryTrace(value: string | null): string | undefined {
  const match = value && /^([\da-f]{32})-([\da-f]{16})(?:-([01]))?$/.exec(value)
  return match ? `00-${match[1]}-${match[2]}-0${match[3] ?? 0}` : undefined
}

function sentryBaggage(value: string | null): string | undefined {
  if (!value || value.length > 8192) return undefined
  const kept = value.split(',').filter((entry) => /^\s*sentry-\w+=[\w%.*+~-]*\s*$/.test(entry))
  const text = kept.map((entry) => entry.trim()).join(',')
  return text === '' || text.length > 1024 ? undefined : text
}

/** The value of `sentry-trace` for what this work calls. */
function sentryTrace(trace: TraceContext): string {
  return `${trace.traceId}-${trace.spanId}-${trace.sampled ? '1' : '0'}`
}

/** The value of `traceparent` for what this work calls. */
export function traceparent(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`
}

/** Header fields that hand the trace of `work` on to another service: W3C's, and Sentry's. */
export function traceHeaders(work: Work): Record<string, string> {
  const { trace } = work
  return {
    traceparent: traceparent(trace),
    ...(trace.state !== undefined && { tracestate: trace.state }),
    'sentry-trace': sentryTrace(trace),
    ...(trace.baggage !== undefined && { baggage: trace.baggage }),
  }
}
