import type { MiddlewareHandler } from 'hono'
import { currentWork, type Duration, milliseconds } from '../core/index.ts'
import type { Jobs } from './service.ts'

/** Options of {@link relayJobs}. */
export interface RelayOptions {
  /** What `createJobs` returned. */
  readonly jobs: Pick<Jobs, 'relay' | 'sweep'>
  /** How often at most one isolate looks. Default 15 seconds. */
  readonly every?: Duration
}

/** Behind the reply, and behind what else was left for after it. */
const REST = 250

/** Messages that one look sends at most; cron sends the rest. */
const BOUND = 100

/**
 * Looks, behind the replies of requests, for jobs whose message was lost or whose worker has crashed: two round trips,
 * at most once in {@link RelayOptions.every} and isolate, and never on a request's time. Cron does the same each minute;
 * where an app is busy, this is sooner. Any number of them may run at once.
 *
 * What fails here is left to cron, which reports it.
 * @throws TypeError when `every` is less than a second.
 */
export function relayJobs(options: RelayOptions): MiddlewareHandler {
  const { jobs } = options
  const every = milliseconds(options.every ?? '15 s')
  if (every < 1000) throw new TypeError('relayJobs: "every" must be at least a second')
  let last: number | undefined
  const look = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, REST))
    await jobs.sweep()
    await jobs.relay({ limit: BOUND })
  }
  return async function relayJobs(_, next) {
    await next()
    const now = Date.now()
    // An isolate that has just begun has requests to answer.
    last ??= now
    if (now - last < every) return
    last = now
    currentWork()?.waitUntil(look().catch(() => {}))
  }
}
