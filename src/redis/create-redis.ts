import { type Requester, Redis as UpstashRedis } from '@upstash/redis/cloudflare'
import { type Duration, milliseconds } from '../core/time.ts'
import { RestRequester } from './requester.ts'

/** Options of {@link createRedis}. */
export interface RedisOptions {
  /**
   * The database's REST URL (`UPSTASH_REDIS_REST_URL`). `https`, or `http` for a name that stays on the machine
   * or the private network: `localhost`, a loopback address, a name without a dot.
   */
  readonly url: string
  /** The database's REST token (`UPSTASH_REDIS_REST_TOKEN`). Never appears in an error or a span. */
  readonly token: string
  /**
   * How long one HTTP round trip may take, retries included. Default `'1 s'`. The rate limiter decides sooner
   * than that by itself, whatever is set here.
   */
  readonly timeout?: Duration
  /**
   * How often a request is sent again when the connection fails before an answer came. Default 1. A write that
   * had arrived is then done twice: set 0 where that matters more than a lost connection. An answer of the server,
   * whatever it is, is never asked for again.
   */
  readonly retries?: number
  /**
   * Whether values that look like JSON are parsed on reading: `'1'` becomes `1`. Default true, as everywhere in
   * `@upstash/redis`.
   */
  readonly automaticDeserialization?: boolean
}

class Client extends UpstashRedis {
  constructor(options: RedisOptions, requester: Requester) {
    super({
      url: options.url,
      token: options.token,
      enableTelemetry: false,
      // Switched on below, once the requester is in place.
      enableAutoPipelining: false,
      ...(options.automaticDeserialization !== undefined && {
        automaticDeserialization: options.automaticDeserialization,
      }),
    })
    this.client = requester
  }

  pipelined(): UpstashRedis {
    return this.autoPipeline() as UpstashRedis
  }
}

/** Names that cannot be reached from the internet, so that a token may travel there unencrypted. */
function isPrivate(hostname: string): boolean {
  return (
    !hostname.includes('.') ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname) ||
    /\.(?:localhost|internal|local)$/.test(hostname)
  )
}

function check({ url, token, retries = 1 }: RedisOptions): void {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw new TypeError('The url of createRedis is not a URL: it is the REST URL of the database, https://…')
  }
  if (parsed.protocol !== 'https:' && !(parsed.protocol === 'http:' && isPrivate(parsed.hostname))) {
    throw new TypeError(
      'The url of createRedis must begin with https://: it is the REST URL, not the redis:// one',
    )
  }
  if (typeof token !== 'string' || token === '' || /\s/.test(token)) {
    throw new TypeError('The token of createRedis is empty or contains blanks')
  }
  if (!Number.isInteger(retries) || retries < 0 || retries > 5) {
    throw new TypeError('The retries of createRedis must be a whole number from 0 to 5')
  }
}

/**
 * A client for Upstash Redis over REST: `@upstash/redis` with everything it can do.
 *
 * - Commands issued in the same tick travel as one request (auto-pipelining), so `Promise.all` over ten commands
 *   is one round trip.
 * - Each round trip is a span `db.redis` of the current unit of work, named after its command, or `PIPELINE(n)`.
 * - No telemetry headers, no back-off of seconds, and a deadline on every round trip.
 *
 * Holds no connection: it may live at module scope.
 *
 * A command that Redis refuses rejects with `UpstashError`, as in `@upstash/redis`, but without the command's
 * arguments in its message. When there is no usable answer at all it rejects with
 * {@link BreakwaterError} `dependency-unavailable` (503), whose `cause` says why. After five of those a circuit breaker,
 * `redis@host`, refuses at once, with `Retry-After`, until a probe is answered.
 *
 * @throws TypeError when the URL, the token, the timeout or the retries cannot be right
 */
export function createRedis(options: RedisOptions): UpstashRedis {
  check(options)
  const requester = new RestRequester({
    url: options.url.replace(/\/+$/, ''),
    token: options.token,
    timeout: milliseconds(options.timeout ?? '1 s'),
    retries: options.retries ?? 1,
  })
  return new Client(options, requester).pipelined()
}
