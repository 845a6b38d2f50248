import { type Duration, milliseconds } from '../core/index.ts'

/** What is looked for. Every part has a default; `false` switches it off. */
export interface AlertRules {
  /**
   * Share of failing requests over five minutes, of a route or of all, above this by more than chance explains. Default
   * 5 % with at least 50 requests and 10 errors, chance 1e-9.
   */
  readonly errorRate?:
    | {
        readonly above?: number
        readonly minRequests?: number
        readonly minErrors?: number
        readonly chance?: number
      }
    | false
  /**
   * Errors of the last minute, of a route or of all, that cannot be chance if the rate had at most multiplied by
   * `factor` since the hour before (see `chanceOfJump`). Default factor 3, chance 1e-9, at least 10 errors.
   */
  readonly jump?: { readonly factor?: number; readonly chance?: number; readonly minErrors?: number } | false
  /**
   * No request at all for so long that chance does not explain it, even if traffic had fallen to a quarter of the last
   * hour's. Default at least 3 minutes.
   */
  readonly silence?: { readonly minMinutes?: number } | false
  /** Durations over five minutes. Default p95 above 3 s with at least 100 requests. */
  readonly latency?: { readonly p95?: Duration; readonly minRequests?: number } | false
  /** More dead letters than this. Default 0. */
  readonly deadLetters?: { readonly above?: number } | false
  /** The newest backup is older than this. Default 26 h. */
  readonly backup?: { readonly olderThan?: Duration } | false
  /** Minutes that all must be well before an alert is called over. Default 5. */
  readonly calmMinutes?: number
}

/** The rules with their defaults, in milliseconds. */
export interface Thresholds {
  readonly errorRate: { above: number; minRequests: number; minErrors: number; chance: number } | undefined
  readonly jump: { factor: number; chance: number; minErrors: number } | undefined
  readonly silence: { minMinutes: number } | undefined
  readonly latency: { p95: number; minRequests: number } | undefined
  readonly deadLetters: { above: number } | undefined
  readonly backup: { olderThan: number } | undefined
  readonly calmMinutes: number
}

function positive(name: string, value: number): number {
  if (!(value > 0 && Number.isFinite(value))) throw new TypeError(`${name} must be more than 0`)
  return value
}

/**
 * Fills the defaults in.
 * @throws TypeError when a number makes no sense.
 */
export function thresholds(rules: AlertRules = {}): Thresholds {
  const { errorRate = {}, jump = {}, silence = {}, latency = {}, deadLetters = {}, backup = {} } = rules
  const above = errorRate === false ? 0.05 : (errorRate.above ?? 0.05)
  if (!(above > 0 && above < 1)) throw new TypeError('errorRate.above is a share, between 0 and 1')
  return {
    errorRate:
      errorRate === false
        ? undefined
        : {
            above,
            minRequests: positive('errorRate.minRequests', errorRate.minRequests ?? 50),
            minErrors: positive('errorRate.minErrors', errorRate.minErrors ?? 10),
            chance: positive('errorRate.chance', errorRate.chance ?? 1e-9),
          },
    jump:
      jump === false
        ? undefined
        : {
            factor: positive('jump.factor', jump.factor ?? 3),
            chance: positive('jump.chance', jump.chance ?? 1e-9),
            minErrors: positive('jump.minErrors', jump.minErrors ?? 10),
          },
    silence:
      silence === false ? undefined : { minMinutes: positive('silence.minMinutes', silence.minMinutes ?? 3) },
    latency:
      latency === false
        ? undefined
        : {
            p95: positive('latency.p95', milliseconds(latency.p95 ?? '3 s')),
            minRequests: positive('latency.minRequests', latency.minRequests ?? 100),
          },
    deadLetters: deadLetters === false ? undefined : { above: deadLetters.above ?? 0 },
    backup:
      backup === false
        ? undefined
        : { olderThan: positive('backup.olderThan', milliseconds(backup.olderThan ?? '26 h')) },
    calmMinutes: positive('calmMinutes', rules.calmMinutes ?? 5),
  }
}
