import { currentWork, span, traceHeaders } from '../core/index.ts'
import { redactText } from '../core/redact-text.ts'

/** Options of {@link tracedFetch}. */
export interface TracedFetchOptions {
  /** Which URLs are given the trace's header fields. Default all. */
  readonly propagate?: (url: URL) => boolean
  /** The fetch underneath. Default: the global one, looked up at each call. */
  readonly fetch?: typeof fetch
}

/**
 * A `fetch` that is part of the trace: each call is a span, named by method and host, and carries `traceparent`,
 * `sentry-trace` and what the caller sent of `tracestate` and `baggage`. A reply of 5xx marks the span as failed. Outside of
 * any unit of work it is plain `fetch`.
 */
export function tracedFetch(options: TracedFetchOptions = {}): typeof fetch {
  const { propagate = () => true } = options
  return async function fetchInTrace(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const send = options.fetch ?? fetch
    const work = currentWork()
    if (work === undefined) return send(input, init)
    const request = new Request(input, init)
    const url = new URL(request.url)
    if (propagate(url)) {
      for (const [name, value] of Object.entries(traceHeaders(work))) {
        // What the caller set by hand stays.
        if (!request.headers.has(name)) request.headers.set(name, value)
      }
    }
    const attributes: Record<string, string | number> = {
      'http.request.method': request.method,
      'server.address': url.host,
    }
    return span(
      'http.client',
      redactText(`${request.method} ${url.host}`),
      async () => {
        const response = await send(request)
        attributes['http.response.status_code'] = response.status
        return response
      },
      attributes,
    )
  }
}
