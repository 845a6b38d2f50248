import { type BreakerOptions, breaker } from '../core/breaker.ts'
import { BreakwaterError } from '../core/errors.ts'
import { type Duration, milliseconds } from '../core/time.ts'
import { traceHeaders } from '../core/trace.ts'
import { currentWork, span } from '../core/work.ts'

/** Options of {@link createFetch}. */
export interface FetchOptions {
  /** How long one call may take until its header fields are there. The current work's deadline shortens it. Default 10 s. */
  readonly timeout?: Duration
  /**
   * The name of the circuit breaker, to share one among hosts that stand and fall together. Default: one for each
   * host, `fetch@host`; then the hosts must come from the configuration, not from requests.
   */
  readonly name?: string
  /** How the breaker judges. Default: five failures within 10 s, at least half of the calls. */
  readonly breaker?: Pick<BreakerOptions, 'failures' | 'ratio' | 'window' | 'cooldown' | 'maxCooldown'>
  /** Hand the trace on (`traceparent`). Not to strangers: it lets them tell which calls belong together. Default false. */
  readonly trace?: boolean
  /** What calls. Default: the platform's `fetch`. */
  readonly fetch?: typeof fetch
}

/** A reply that is handed to the caller, and counts as a failure. */
class Failing {
  readonly response: Response
  constructor(response: Response) {
    this.response = response
  }
}

/** What a gateway says of the service behind it, and a service of itself. */
const OUT: ReadonlySet<number> = new Set([502, 503, 504])
/** Repeating these changes nothing, so that a lost answer leaves no doubt (RFC 9110, section 9.2.1). */
const SAFE = /^(?:GET|HEAD|OPTIONS|TRACE)$/

/**
 * A `fetch` for the services that this one stands on: with a deadline, a span `http.client` of the current unit of
 * work, and a circuit breaker that refuses at once while the service is out.
 *
 * Every reply is handed back as it came; 502, 503 and 504 count as failures, as does no reply at all. Then it rejects with
 * {@link BreakwaterError} `dependency-unavailable` (503); or `outcome-unknown` (503) when the method may have changed
 * something. A caller who aborts gets the reason of the abort, which counts for nothing.
 *
 * @throws TypeError when built with a timeout that is no duration.
 * @example
 * ```ts
 * const api = createFetch({ timeout: '3 s' })
 * const rates = await api('https://rates.acme.dev/today')
 * ```
 */
export function createFetch(options: FetchOptions = {}): typeof fetch {
  const timeout = milliseconds(options.timeout ?? 10_000)
  if (timeout === 0) throw new TypeError('createFetch: timeout must be more than 0')
  const call = options.fetch ?? fetch

  return async function guardedFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const request = new Request(input as RequestInfo, init)
    const { host } = new URL(request.url)
    const work = currentWork()
    if (options.trace && work) {
      for (const [name, value] of Object.entries(traceHeaders(work))) request.headers.set(name, value)
    }
    const circuit = breaker(options.name ?? `fetch@${host}`, {
      ...options.breaker,
      isFailure: (error) => error instanceof Failing || error instanceof BreakwaterError,
    })
    const send = async (): Promise<Response> => {
      const left = work?.deadline === undefined ? timeout : Math.min(timeout, work.deadline - Date.now())
      const limit = new AbortController()
      // Only until the header fields are there: the body is the caller's, who may stream it for as long as it takes.
      const timer = setTimeout(() => limit.abort(), Math.max(0, left))
      const calledOff = AbortSignal.any(work ? [request.signal, work.signal] : [request.signal])
      let response: Response
      try {
        response = await call(request, { signal: AbortSignal.any([limit.signal, calledOff]) })
      } catch (cause) {
        if (calledOff.aborted) throw calledOff.reason
        throw new BreakwaterError(SAFE.test(request.method) ? 'dependency-unavailable' : 'outcome-unknown', {
          status: 503,
          detail: 'A service we depend on does not answer at the moment.',
          cause,
        })
      } finally {
        clearTimeout(timer)
      }
      if (OUT.has(response.status)) throw new Failing(response)
      return response
    }
    try {
      return await circuit.run(() => span('http.client', `${request.method} ${host}`, send))
    } catch (error) {
      if (error instanceof Failing) return error.response
      throw error
    }
  }
}
