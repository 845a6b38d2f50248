import { breaker } from '../core/breaker.ts'
import { BreakwaterError, isBreakwaterError } from '../core/errors.ts'
import { type Duration, milliseconds } from '../core/time.ts'
import { span } from '../core/work.ts'

/** How one provider's HTTP API is called. */
export interface Provider {
  /** For error messages and spans. */
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeout: number
  /** The id in an accepting reply, if it is there. */
  idOf(reply: unknown): string | undefined
  /** The provider's own word for what went wrong: a code, never a sentence, which may repeat the recipient. */
  faultOf(reply: unknown): string | undefined
}

/** What every adapter over HTTP may be told. */
export interface ProviderOptions {
  /** Base URL of the provider's API. Default: the provider's own; the local stand-in's for development. */
  readonly endpoint?: string
  /** How long to wait for the provider's answer. Default 10 s. */
  readonly timeout?: Duration
}

/**
 * Base URL and time limit from an adapter's options.
 * @throws TypeError when one is wrong.
 */
export function providerSettings(
  name: string,
  { endpoint, timeout = '10 s' }: ProviderOptions,
  usual: string,
): { base: string; timeout: number } {
  const base = endpoint ?? usual
  if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol)) {
    throw new TypeError(`${name}: "endpoint" must be an http or https URL`)
  }
  const limit = milliseconds(timeout)
  if (limit === 0) throw new TypeError(`${name}: "timeout" must be more than 0`)
  return { base: base.replace(/\/+$/, ''), timeout: limit }
}

/** Posts one message and returns the provider's id for it. */
export async function post(provider: Provider, body: unknown, signal?: AbortSignal): Promise<{ id: string }> {
  const { name, url, headers, timeout } = provider
  signal?.throwIfAborted()
  const circuit = breaker(`mail@${new URL(url).host}`, { isFailure: isOutage })
  const send = async (): Promise<{ id: string }> => {
    const limit = AbortSignal.timeout(timeout)
    let response: Response
    let reply: unknown
    try {
      response = await fetch(url, {
        method: 'POST',
        headers: {
          accept: 'application/json',
          'content-type': 'application/json',
          'user-agent': 'breakwater',
          ...headers,
        },
        body: JSON.stringify(body),
        // A token must not follow a redirect to somewhere else.
        redirect: 'manual',
        signal: signal ? AbortSignal.any([limit, signal]) : limit,
      })
      // Read in any case: an unread body keeps one of the few connections a request may have.
      reply = parse(await response.text())
    } catch (cause) {
      throw new BreakwaterError('outcome-unknown', {
        status: 503,
        detail: limit.aborted
          ? `${name} did not answer in time; the mail may have been sent.`
          : `The connection to ${name} failed; the mail may have been sent.`,
        cause,
      })
    }
    if (!response.ok) throw refused(provider, response, reply)
    const id = provider.idOf(reply)
    if (id !== undefined) return { id }
    throw new BreakwaterError('outcome-unknown', {
      status: 503,
      detail: `${name} answered in a way that is not understood; the mail may have been sent.`,
    })
  }
  return circuit.run(() => span('http.client', `POST ${name}`, send))
}

/** A provider that is away or busy. What it refuses is the mail's fault or ours, and who calls off says nothing of it. */
function isOutage(error: unknown): boolean {
  if (!isBreakwaterError(error) || (error.cause as Error | undefined)?.name === 'AbortError') return false
  return error.code === 'dependency-unavailable' || error.code === 'outcome-unknown'
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refused(
  { name, faultOf }: Provider,
  { status, headers }: Response,
  reply: unknown,
): BreakwaterError {
  const fault = faultOf(reply)
  const cause = new Error(`${name} answered ${status}, ${fault ?? 'without a code'}`)
  const retryAfter = headers.get('retry-after')
  // The first use of the key is still under way: what came of it is known later.
  const underWay = status === 409 && fault === 'concurrent_idempotent_requests'
  if (status === 429 || status >= 500 || status === 408 || underWay) {
    return new BreakwaterError('dependency-unavailable', {
      status: 503,
      detail: `${name} takes no mail just now.`,
      cause,
      ...(retryAfter !== null && /^\d{1,6}$/.test(retryAfter) && { headers: { 'Retry-After': retryAfter } }),
    })
  }
  if (status === 409) {
    return new BreakwaterError('conflict', {
      status: 409,
      detail: `${name} already has this idempotency key.`,
      cause,
      report: true,
    })
  }
  if (status === 400 || status === 422 || status === 413) {
    return new BreakwaterError('validation-failed', {
      status: 422,
      detail: `${name} refused the mail.`,
      cause,
      report: true,
    })
  }
  return new BreakwaterError('misconfigured', {
    status: 500,
    detail: `${name} refused the way it was called.`,
    cause,
  })
}

/** A string member of a reply that may be anything. */
export function stringAt(reply: unknown, key: string): string | undefined {
  const value =
    typeof reply === 'object' && reply !== null ? (reply as Record<string, unknown>)[key] : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}
