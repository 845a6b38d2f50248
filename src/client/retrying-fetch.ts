import { type Duration, milliseconds } from '../core/time.ts'
import { retryAfter } from './retry-after.ts'

/** When {@link retryingFetch} tries again, and when it gives up. */
export interface RetryingFetchOptions {
  /** Tries in all, the first included. Default 4. */
  readonly attempts?: number
  /** The longest it may wait in all, over every pause. A server that asks for more gets its reply returned. Default 30 s. */
  readonly patience?: Duration
  /** The ceiling of the first pause when the server names none; doubles with each try. Default 300 ms. */
  readonly firstPause?: Duration
  /** Statuses worth another try. Default 408, 425, 429, 500, 502, 503 and 504. */
  readonly statuses?: readonly number[]
  /** The fetch underneath. Default: the platform's, looked up at each call. */
  readonly fetch?: typeof fetch
}

// RFC 9110, section 9.2.2.
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
const STATUSES = [408, 425, 429, 500, 502, 503, 504]

/**
 * A `fetch` that waits as it is told. A refused or failed request is tried again after what `Retry-After` says or,
 * where nothing is said, after a random part of an exponentially growing pause ("full jitter"), so that many
 * clients refused together do not come back together.
 *
 * Only what is safe to repeat is repeated: idempotent methods (RFC 9110), and others when they carry an
 * `Idempotency-Key`. A body that is a stream can be sent once and is. Aborting the request ends a pause at once.
 *
 * @returns a function with `fetch`'s own signature. It resolves with the last reply, whatever its status, and
 *   rejects with the last network failure.
 * @throws TypeError when an option makes no sense.
 */
export function retryingFetch(options: RetryingFetchOptions = {}): typeof fetch {
  const attempts = options.attempts ?? 4
  const patience = milliseconds(options.patience ?? '30 s')
  const firstPause = milliseconds(options.firstPause ?? 300)
  const statuses = new Set(options.statuses ?? STATUSES)
  if (!Number.isInteger(attempts) || attempts < 1) {
    throw new TypeError('retryingFetch: attempts must be a whole number of at least 1')
  }

  return async function fetchWithRetries(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const send = options.fetch ?? globalThis.fetch
    const request = new Request(input, init)
    const repeatable = isRepeatable(request, init)
    let patienceLeft = patience

    for (let attempt = 1; ; attempt++) {
      const last = attempt >= attempts || !repeatable
      let reply: Response | undefined
      try {
        reply = await send(last ? request : request.clone())
        if (last || !statuses.has(reply.status)) return reply
      } catch (error) {
        if (last || request.signal.aborted) throw error
      }

      const told = reply && retryAfter(reply.headers)
      const pause = told ?? Math.random() * firstPause * 2 ** (attempt - 1)
      if (pause > patienceLeft) {
        if (reply) return reply
        // Nothing to hand back: one more try at once is all that is left to do.
        return send(request)
      }
      patienceLeft -= pause
      // An unread body would keep its connection from being used again. Not awaited: a body somebody tee'd never ends.
      reply?.body?.cancel().catch(() => {})
      await wait(pause, request.signal)
    }
  }
}

function isRepeatable(request: Request, init: RequestInit | undefined): boolean {
  if (init?.body instanceof ReadableStream) return false
  return IDEMPOTENT.has(request.method) || request.headers.has('idempotency-key')
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, ms)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}
