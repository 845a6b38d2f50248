import { toHex } from '../core/bytes.ts'
import { randomBytes } from '../core/index.ts'
import type { Identity } from './event.ts'

/** A cron expression as a monitor's name: `17 3 * * *` becomes `cron-17-3-x-x-x`. */
export function monitorSlug(cron: string): string {
  const slug = cron
    .replaceAll('*', 'x')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  return `cron-${slug}`.slice(0, 50)
}

/**
 * Tells Sentry's cron monitoring how a tick went. The first one makes the monitor; from then on Sentry misses the tick
 * that does not come. One message a tick: a worker that was killed shows as a tick that was missed.
 */
export function checkIn(
  slug: string,
  cron: string,
  identity: Identity,
  outcome: { readonly ok: boolean; readonly duration: number; readonly traceId: string },
): string {
  const payload = {
    check_in_id: toHex(randomBytes(16)),
    monitor_slug: slug,
    status: outcome.ok ? 'ok' : 'error',
    duration: outcome.duration / 1000,
    environment: identity.environment,
    ...(identity.release !== undefined && { release: identity.release }),
    contexts: { trace: { trace_id: outcome.traceId } },
    monitor_config: {
      schedule: { type: 'crontab', value: cron },
      checkin_margin: 5,
      max_runtime: 15,
      timezone: 'UTC',
    },
  }
  return `${JSON.stringify({ sent_at: new Date().toISOString() })}\n${JSON.stringify({ type: 'check_in' })}\n${JSON.stringify(payload)}\n`
}
