import { type Duration, milliseconds } from '../core/index.ts'
import type { Trace, TraceExporter, TraceSpan } from './trace.ts'

/** Options of {@link otlp}. */
export interface OtlpOptions {
  /** The collector's base URL, `https://collector.example:4318`; `/v1/traces` is added unless it is there. */
  readonly endpoint: string
  /** Sent along, such as a key. Never shown. */
  readonly headers?: Readonly<Record<string, string>>
  /** The name of the service in traces. Default `worker`. */
  readonly service?: string
  /** How long one request may take. Default 5 s. */
  readonly timeout?: Duration
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch
}

const KINDS: Readonly<Record<string, number>> = { request: 2, queue: 5, scheduled: 1, other: 1 }
const CLIENTS = /^(?:db|http\.client|object-store|cache)/

const nano = (ms: number): string => `${Math.round(ms * 1000)}000`

function value(of: string | number | boolean): Record<string, unknown> {
  if (typeof of === 'boolean') return { boolValue: of }
  if (typeof of === 'string') return { stringValue: of }
  return Number.isSafeInteger(of) ? { intValue: String(of) } : { doubleValue: of }
}

function attributes(of: Readonly<Record<string, string | number | boolean | undefined>>): unknown[] {
  return Object.entries(of).flatMap(([key, one]) => (one === undefined ? [] : [{ key, value: value(one) }]))
}

const status = (ok: boolean): Record<string, unknown> => (ok ? {} : { code: 2 })

function below(traceId: string, span: TraceSpan): unknown {
  return {
    traceId,
    spanId: span.id,
    parentSpanId: span.parentId,
    name: span.name,
    kind: CLIENTS.test(span.op) ? 3 : span.op === 'queue.publish' ? 4 : 1,
    startTimeUnixNano: nano(span.start),
    endTimeUnixNano: nano(span.start + span.duration),
    attributes: attributes({ 'breakwater.op': span.op, ...span.attributes }),
    status: status(span.ok),
  }
}

/** A trace as OTLP's JSON encoding has it (OTLP 1.x, `ExportTraceServiceRequest`). */
function toOtlp(trace: Trace, service: string): unknown {
  const root = {
    traceId: trace.traceId,
    spanId: trace.rootId,
    ...(trace.parentId !== undefined && { parentSpanId: trace.parentId }),
    name: trace.name,
    kind: KINDS[trace.kind] ?? 1,
    startTimeUnixNano: nano(trace.start),
    endTimeUnixNano: nano(trace.end),
    attributes: attributes({
      'http.response.status_code': trace.status,
      'breakwater.request_id': trace.requestId,
    }),
    status: status(trace.ok),
  }
  return {
    resourceSpans: [
      {
        resource: {
          attributes: attributes({
            'service.name': service,
            'service.version': trace.release,
            'deployment.environment.name': trace.environment,
            'telemetry.sdk.language': 'webjs',
            'telemetry.sdk.name': 'breakwater',
          }),
        },
        scopeSpans: [
          {
            scope: { name: 'breakwater' },
            spans: [root, ...trace.spans.map((span) => below(trace.traceId, span))],
          },
        ],
      },
    ],
  }
}

/**
 * Sends traces to an OpenTelemetry collector, by OTLP over HTTP in JSON. Give it to `createCapture` as an exporter. What
 * cannot be delivered is dropped; a collector that says when to come back is left alone until then.
 * @throws TypeError when the endpoint is no http or https URL.
 */
export function otlp(options: OtlpOptions): TraceExporter {
  if (!URL.canParse(options.endpoint) || !/^https?:$/.test(new URL(options.endpoint).protocol)) {
    throw new TypeError('The endpoint of otlp must be an http or https URL')
  }
  const base = options.endpoint.replace(/\/+$/, '')
  const url = base.endsWith('/v1/traces') ? base : `${base}/v1/traces`
  const timeout = milliseconds(options.timeout ?? '5 s')
  let pauseUntil = 0
  return {
    async export(trace) {
      if (Date.now() < pauseUntil) return
      try {
        const response = await (options.fetch ?? fetch)(url, {
          method: 'POST',
          headers: { ...options.headers, 'content-type': 'application/json' },
          body: JSON.stringify(toOtlp(trace, options.service ?? 'worker')),
          redirect: 'manual',
          signal: AbortSignal.timeout(timeout),
        })
        await response.body?.cancel()
        if (response.status === 429 || response.status >= 500) {
          const seconds = Number(response.headers.get('retry-after') ?? 10)
          pauseUntil = Date.now() + 1000 * (seconds >= 0 && seconds <= 3600 ? seconds : 60)
        }
      } catch {
        pauseUntil = Date.now() + 10_000
      }
    },
  }
}
