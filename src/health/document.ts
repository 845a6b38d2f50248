import type { BreakerState } from '../core/breaker.ts'
import type { CheckResult } from './check.ts'

/** The states of circuit breakers, by name: what `breakerStates()` of `breakwater/breaker` returns. */
export type BreakerStates = Readonly<Record<string, { readonly state: BreakerState }>>

/** A status of the draft's vocabulary. */
export type HealthStatus = 'pass' | 'warn' | 'fail'

/** One entry under `checks` of a health document. */
export interface HealthEntry {
  readonly componentType: string
  readonly status: HealthStatus
  /** RFC 3339. */
  readonly time: string
  readonly observedValue?: string | number | boolean
  readonly observedUnit?: string
  readonly output?: string
}

/** A document of type `application/health+json` (draft-inadarei-api-health-check-06). */
export interface HealthDocument {
  readonly status: HealthStatus
  readonly releaseId?: string
  readonly checks?: Readonly<Record<string, readonly HealthEntry[]>>
}

/** Fail when something critical is out, warn when anything else is not as it should be. */
export function overallStatus(results: readonly CheckResult[], breakers: BreakerStates): HealthStatus {
  if (results.some((result) => result.critical && result.status === 'fail')) return 'fail'
  const isFine =
    results.every((r) => r.status === 'pass') && Object.values(breakers).every((b) => b.state === 'closed')
  return isFine ? 'pass' : 'warn'
}

/** The document for those who may see details. */
export function healthDocument(
  results: readonly CheckResult[],
  breakers: BreakerStates,
  at: number,
  release: string | undefined,
): HealthDocument {
  const time = new Date(at).toISOString()
  const checks: Record<string, HealthEntry[]> = {}
  for (const { name, status, componentType, duration, observation, output } of results) {
    const entry = { componentType, status, time }
    checks[`${name}:responseTime`] = [
      { ...entry, observedValue: duration, observedUnit: 'ms', ...(output !== undefined && { output }) },
    ]
    if (observation) {
      checks[name] = [{ ...entry, ...observation, status }]
    }
  }
  for (const [name, { state }] of Object.entries(breakers)) {
    // The draft's keys have one colon; a circuit is named after a host, which may have a port.
    checks[`${name.replaceAll(':', '/')}:breaker`] = [
      {
        componentType: 'component',
        status: state === 'closed' ? 'pass' : 'warn',
        time,
        observedValue: state,
      },
    ]
  }
  return { status: overallStatus(results, breakers), ...(release && { releaseId: release }), checks }
}
