import pg from 'pg'
import type { StandInApp } from '../server.ts'
import { createUpstashApp } from '../upstash/index.ts'
import { codeOf, LocalError } from './errors.ts'

const LIMIT = 5000

/**
 * Checks that a Postgres of the user's own can be used.
 * @throws {LocalError} one sentence, without the password.
 */
export async function checkDatabase(url: string): Promise<void> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (!parsed || !/^postgres(ql)?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw new LocalError('DATABASE_URL is not a Postgres URL: postgres://user:password@host:5432/database.')
  }
  const place = `${parsed.host}${parsed.pathname}`
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: LIMIT,
    application_name: 'breakwater dev',
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
  } catch (error) {
    throw new LocalError(
      `DATABASE_URL cannot be used: ${place} ${reasonOf(error)}. Correct it, or unset it to run the Postgres that comes along.`,
    )
  } finally {
    await client.end().catch(() => {})
  }
}

function reasonOf(error: unknown): string {
  switch (codeOf(error) ?? codeOf((error as AggregateError).errors?.[0])) {
    case 'ECONNREFUSED':
      return 'takes no connections'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'has a host name that leads nowhere'
    case '28P01':
    case '28000':
      return 'refuses the user or the password'
    case '3D000':
      return 'has no such database'
    case 'ETIMEDOUT':
      return 'does not answer'
    default:
      return /timeout/i.test(String(error)) ? 'does not answer' : 'does not answer as a Postgres'
  }
}

/** Whether a server is on this machine, so that changing its schema unasked is nobody's loss. */
export function isLocal(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname)
}

/**
 * An Upstash endpoint in front of a Redis of the user's own, once that has answered.
 * @throws {LocalError} one sentence, without the password.
 */
export async function redisApp(redisUrl: string, token: string): Promise<StandInApp> {
  const parsed = URL.canParse(redisUrl) ? new URL(redisUrl) : undefined
  if (!parsed || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw new LocalError('REDIS_URL is not a Redis URL: redis://user:password@host:6379.')
  }
  const app = createUpstashApp({ token, redisUrl })
  const ping = new Request('http://localhost/', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '["PING"]',
  })
  const late = AbortSignal.timeout(LIMIT)
  const answer = await Promise.race([
    Promise.resolve(app.fetch(ping)).catch(() => undefined),
    new Promise<undefined>((resolve) => late.addEventListener('abort', () => resolve(undefined))),
  ])
  if (answer?.ok) return app
  await app.close?.()
  const refused = answer !== undefined && /WRONGPASS|NOAUTH|AUTH/.test(await answer.text())
  throw new LocalError(
    `REDIS_URL cannot be used: ${parsed.host} ${refused ? 'refuses the user or the password' : 'does not answer as a Redis'}. Correct it, or unset it to run the store that comes along.`,
  )
}
