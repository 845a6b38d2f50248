/** What the wrapped `fetch` tells. */
export interface Fetching {
  readonly traceparent: string
  /** What is not told of: the tunnel itself. */
  readonly own: string
  failed(error: Error): void
}

/** The path without what may say who somebody is. */
function pathOf(url: URL): string {
  return url.pathname.replace(/\/[^/]*\d[^/]*|\/[^/]{25,}/g, '/:id')
}

/**
 * Wraps `window.fetch`: requests to the page's own origin carry its trace; replies of 5xx and network failures are told. The
 * caller gets what it would have got.
 * @returns takes the wrapper off again.
 */
export function watchFetch({ traceparent, own, failed }: Fetching): () => void {
  const original = window.fetch
  const wrapped: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : String(input), location.href)
    if (url.origin !== location.origin || url.pathname === own) return original(input, init)
    const request = new Request(input, init)
    if (!request.headers.has('traceparent')) request.headers.set('traceparent', traceparent)
    const name = `${request.method} ${pathOf(url)}`
    try {
      const reply = await original(request)
      if (reply.status >= 500) failed(new Error(`${name} answered ${reply.status}`))
      return reply
    } catch (error) {
      // Called off on purpose.
      if (!request.signal.aborted) failed(new Error(`${name} got no answer`))
      throw error
    }
  }
  window.fetch = wrapped
  return () => {
    if (window.fetch === wrapped) window.fetch = original
  }
}
