import type { StandInApp } from '../server.ts'
import { EmbeddedBackend } from './embedded.ts'
import { ForwardingBackend } from './forward.ts'
import { RestFront } from './rest.ts'

/** Options of {@link createUpstashApp}. */
export interface UpstashAppOptions {
  /** What clients must send as `Authorization: Bearer …`. Not empty. */
  readonly token: string
  /**
   * A file that keeps the store across restarts. Written a second after a change and on close. Default: the
   * store lives in memory. Not used with `redisUrl`.
   */
  readonly statePath?: string
  /** `redis://` or `rediss://`: commands go to this server instead of the embedded store. */
  readonly redisUrl?: string
  /** Milliseconds since the epoch, for expiry. Default: `Date.now`. */
  readonly now?: () => number
}

/**
 * A stand-in for Upstash Redis: its REST protocol in front of an embedded store or of a real Redis, so that
 * `@upstash/redis` and `@upstash/ratelimit` run unchanged.
 *
 * It answers as Redis 7 does: strings, bits, hashes, lists, sets, sorted sets, expiry, and Lua scripts, which
 * run atomically and in bounded time. Not there: streams, geo, HyperLogLog, publish and subscribe, JSON, search.
 *
 * @throws TypeError when the token is empty or the URL is not one; Error when the snapshot cannot be read
 */
export function createUpstashApp(options: UpstashAppOptions): StandInApp {
  if (options.token === '') throw new TypeError('The token of the Upstash stand-in must not be empty')
  const backend =
    options.redisUrl === undefined
      ? new EmbeddedBackend(options.statePath, options.now ?? Date.now)
      : new ForwardingBackend(options.redisUrl)
  const counters = new Map<string, number>()
  const front = new RestFront(options.token, backend, counters)
  return {
    name: 'upstash',
    counters,
    fetch: (request) => front.fetch(request),
    close: () => backend.close(),
  }
}
