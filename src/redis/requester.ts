import { errors, type Requester, type UpstashRequest, type UpstashResponse } from '@upstash/redis/cloudflare'
import { type Breaker, breaker } from '../core/breaker.ts'
import { BreakwaterError, isBreakwaterError } from '../core/errors.ts'
import { currentWork, type Span, span } from '../core/work.ts'
import { decodeReply, type Envelope } from './reply.ts'

/** What {@link RestRequester} needs. */
export interface RequesterOptions {
  /** Without a slash at the end. */
  readonly url: string
  readonly token: string
  /** Milliseconds for one round trip, retries included. */
  readonly timeout: number
  readonly retries: number
}

const RETRY_AFTER = 25

/** Why there was no usable answer. Carries neither the token nor any argument. */
class NoAnswer extends Error {
  override readonly name: string = 'RedisUnavailable'
}

/** Sends commands over Upstash's REST protocol. */
export class RestRequester implements Requester {
  // Both are part of the interface: Upstash's replicas use them to let a client read its own writes.
  readYourWrites = true
  upstashSyncToken = ''
  readonly #options: RequesterOptions
  readonly #circuit: Breaker

  constructor(options: RequesterOptions) {
    this.#options = options
    // One for all clients of a server. What Redis answers to a command, an error too, says that it is there.
    this.#circuit = breaker(`redis@${new URL(options.url).host}`, {
      isFailure: (error) => isBreakwaterError(error) && error.status >= 500,
    })
  }

  async request<TResult = unknown>(request: UpstashRequest): Promise<UpstashResponse<TResult>> {
    if (request.isStreaming || request.onMessage) {
      throw new TypeError('Subscriptions need a connection that outlives a request: use a Durable Object')
    }
    const { name, attributes } = describe(request)
    const answer = this.#circuit.run(() => span('db.redis', name, () => this.#exchange(request), attributes))
    // A limiter stops waiting early. What came of the round trip counts all the same.
    currentWork()?.waitUntil(answer.catch(() => {}))
    return answer as Promise<UpstashResponse<TResult>>
  }

  async #exchange(request: UpstashRequest): Promise<unknown> {
    const { response, body } = await this.#send(request)
    if (response.ok) {
      this.upstashSyncToken = response.headers.get('upstash-sync-token') ?? ''
      return Array.isArray(body) ? body.map(decodeReply) : decodeReply(body as Envelope)
    }
    const { error } = body as Envelope
    // 400 is Redis's own answer to a command; everything else is about the service.
    if (response.status === 400 && typeof error === 'string') throw new errors.UpstashError(error)
    throw unavailable(
      new NoAnswer(
        response.status === 401 || response.status === 403
          ? `Redis refused the token (${response.status})`
          : `Redis answered ${response.status}`,
      ),
    )
  }

  /** The answer, read to its end. Only a connection that failed is tried again. */
  async #send(request: UpstashRequest): Promise<{ response: Response; body: unknown }> {
    const { url, token, timeout, retries } = this.#options
    const deadline = AbortSignal.timeout(timeout)
    const signal = request.signal ? AbortSignal.any([deadline, request.signal]) : deadline
    const init = {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'upstash-encoding': 'base64',
        ...(this.readYourWrites &&
          this.upstashSyncToken !== '' && { 'upstash-sync-token': this.upstashSyncToken }),
        ...request.headers,
      },
      body: JSON.stringify(request.body),
      signal,
    }
    for (let attempt = 0; ; attempt++) {
      let response: Response
      let text: string
      try {
        response = await fetch([url, ...(request.path ?? [])].join('/'), init)
        text = await response.text()
      } catch (cause) {
        if (request.signal?.aborted) throw request.signal.reason
        if (deadline.aborted)
          throw unavailable(new NoAnswer(`Redis did not answer within ${timeout} ms`, { cause }))
        if (attempt >= retries) throw unavailable(new NoAnswer('Redis could not be reached', { cause }))
        await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER))
        continue
      }
      try {
        return { response, body: JSON.parse(text) }
      } catch {
        // The text is not quoted: whatever stands in between, a proxy say, may echo the request.
        throw unavailable(new NoAnswer(`Redis answered ${response.status} with something that is not JSON`))
      }
    }
  }
}

function unavailable(cause: Error): BreakwaterError {
  return new BreakwaterError('dependency-unavailable', {
    status: 503,
    detail: 'A service this depends on is not available.',
    cause,
  })
}

/** How a round trip is called in traces: by its command; a batch by its size. */
function describe({ path, body }: UpstashRequest): {
  name: string
  attributes: NonNullable<Span['attributes']>
} {
  const batch = path?.[0] === 'pipeline' || path?.[0] === 'multi-exec'
  const commands = batch ? (body as unknown[][]) : [body as unknown[]]
  const [first] = commands
  const single = String(first?.[0] ?? path?.[0] ?? '').toUpperCase()
  const name =
    path?.[0] === 'multi-exec'
      ? `MULTI-EXEC(${commands.length})`
      : commands.length > 1
        ? `PIPELINE(${commands.length})`
        : single
  return { name, attributes: { 'db.system.name': 'redis', 'db.operation.batch.size': commands.length } }
}
