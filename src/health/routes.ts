import { type Context, Hono } from 'hono'
import { breakerStates } from '../core/breaker.ts'
import { toBytes } from '../core/bytes.ts'
import { sha256, timingSafeEqual } from '../core/crypto.ts'
import { type Duration, milliseconds } from '../core/time.ts'
import { type CheckResult, type Given, type HealthCheck, runChecks } from './check.ts'
import { type BreakerStates, type HealthDocument, healthDocument, overallStatus } from './document.ts'
import { createOnce } from './once.ts'

/** What {@link health} takes. */
export interface HealthOptions {
  /** The dependencies, by a short name without `:`. */
  readonly checks: Readonly<Record<string, HealthCheck>>
  /**
   * Who sends it as a Bearer token (RFC 6750) is shown each dependency; others see the status alone. A list
   * while it is being replaced. Default: nobody.
   */
  readonly token?: Given<string | readonly string[] | undefined>
  /** How long all checks together may take. Default 2 seconds. */
  readonly deadline?: Duration
  /** How long an answer is given again, so that probes cannot become load. Default 2 seconds. */
  readonly cacheFor?: Duration
  /** The release that runs, shown to holders of the token as `releaseId`. */
  readonly release?: Given<string | undefined>
  /**
   * The states of circuit breakers. One that is not closed makes the status `warn`.
   * Default: every breaker of this isolate.
   */
  readonly breakers?: (c: Context) => BreakerStates
}

const MEDIA_TYPE = 'application/health+json'

function given<T>(value: Given<T>, c: Context): T {
  return typeof value === 'function' ? (value as (c: Context) => T)(c) : value
}

async function holdsToken(c: Context, token: HealthOptions['token']): Promise<boolean> {
  const sent = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
  if (sent === undefined) return false
  const digest = await sha256(toBytes(sent))
  let holds = false
  for (const known of [given(token, c) ?? []].flat()) {
    // Digests are of one length, so that the time tells nothing of the token's. All are compared, always.
    const same = timingSafeEqual(digest, await sha256(toBytes(known)))
    holds = (same && known !== '') || holds
  }
  return holds
}

/** The time an answer stays, checked when the app is built. */
function positive(name: string, duration: Duration): number {
  const value = milliseconds(duration)
  if (value <= 0) throw new TypeError(`health: ${name} must be longer than 0`)
  return value
}

/**
 * Two routes for load balancers and monitors, to be mounted with `app.route('/', health({ … }))`:
 *
 * - `GET /livez`: the Worker runs. Asks nobody, always 200.
 * - `GET /readyz`: its dependencies answer. All are asked at once under one deadline. 200 `pass`; 200 `warn`
 *   when only something that is not critical is out; 503 `fail` with Retry-After when something critical is.
 *
 * Replies are `application/health+json` (draft-inadarei-api-health-check-06) and never cached by others.
 *
 * @throws TypeError when an option is wrong.
 * @example
 * ```ts
 * app.route('/', health({
 *   checks: { postgres: postgresCheck(database), uploads: r2Check((c) => c.env.UPLOADS, { critical: false }) },
 *   token: (c) => c.env.OPS_TOKEN,
 * }))
 * ```
 */
export function health(options: HealthOptions): Hono {
  const { checks, token, release, breakers = breakerStates } = options
  const deadline = positive('deadline', options.deadline ?? '2 s')
  const cacheFor = positive('cacheFor', options.cacheFor ?? '2 s')
  for (const [name, check] of Object.entries(checks)) {
    if (!/^[^:\s]+$/.test(name) || typeof check?.run !== 'function') {
      throw new TypeError(
        `health: ${JSON.stringify(name)} is not a check with a name without ":" or white space`,
      )
    }
  }
  if (token === '' || (Array.isArray(token) && token.includes(''))) {
    throw new TypeError('health: an empty token would let everybody in')
  }
  const once = createOnce<readonly CheckResult[]>({ freshFor: cacheFor, deadline })

  const answer = (c: Context, document: HealthDocument): Response => {
    c.header('Cache-Control', 'no-store')
    c.header('Content-Type', MEDIA_TYPE)
    if (document.status !== 'fail') return c.body(JSON.stringify(document))
    // Who asks sooner gets the same answer.
    c.header('Retry-After', String(Math.ceil(cacheFor / 1000)))
    return c.body(JSON.stringify(document), 503)
  }

  return new Hono()
    .get('/livez', (c) => answer(c, { status: 'pass' }))
    .get('/readyz', async (c) => {
      const [{ value: results, at }, detailed] = await Promise.all([
        once(() => runChecks(checks, deadline, c)),
        holdsToken(c, token),
      ])
      const states = breakers(c)
      const document = detailed
        ? healthDocument(results, states, at, given(release, c))
        : { status: overallStatus(results, states) }
      return answer(c, document)
    })
}
