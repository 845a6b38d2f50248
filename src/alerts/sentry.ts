import type { Duration } from '../core/index.ts'

/**
 * Sentry's own monitors and alerts as code: what a file for `npx breakwater alerts plan|apply` exports as `alerts`.
 *
 * ```ts
 * import type { SentryAlerts } from 'breakwater/alerts'
 *
 * export const alerts: SentryAlerts = {
 *   environment: 'production',
 *   monitors: [{ name: 'Errors', measure: 'errors', window: '5 m', above: 50 }],
 *   alerts: [
 *     { name: 'New or back again', notify: [{ owners: 'ActiveMembers' }] },
 *     { name: 'Too many errors', monitors: ['Errors'], notify: [{ team: '4711' }], every: '5 m' },
 *   ],
 * }
 * ```
 */
export interface SentryAlerts {
  /** Slug of the organization. Default: the variable `SENTRY_ORG`. */
  readonly organization?: string
  /** Slug of the project. Default: the variable `SENTRY_PROJECT`. */
  readonly project?: string
  /**
   * What the names of all that is managed begin with in Sentry: whatever begins so and is not in the file is removed,
   * whatever does not is never touched. Two files for one project need two. Default `breakwater: `.
   */
  readonly prefix?: string
  /** For every monitor and alert that names none of its own. Default: all environments. */
  readonly environment?: string
  /** What makes an issue when a number crosses a line. */
  readonly monitors?: readonly SentryMonitor[]
  /** Who hears of which issues. */
  readonly alerts: readonly SentryAlert[]
}

/** A metric monitor. One of `above`, `below` and `anomaly` is required. */
export interface SentryMonitor {
  /** Without the prefix; unique in the file. */
  readonly name: string
  /**
   * What is measured: error events, users who met one, requests and jobs (`throughput`), the share of them that failed
   * (0 to 1), the 95th percentile of their duration (milliseconds), or a query of one's own in Sentry's words.
   */
  readonly measure: 'errors' | 'users' | 'throughput' | 'failure-rate' | 'duration' | SentryMeasure
  /** Sentry's search syntax. Default `is:unresolved` for errors and users, `is_transaction:true` for the others. */
  readonly query?: string
  /** Over how long it is measured: whole minutes, a day at most. */
  readonly window: Duration
  /** A high priority issue above this; with `comparedTo`, this many percent more. */
  readonly above?: number
  /** A high priority issue below this. */
  readonly below?: number
  /** A medium priority issue from here on, short of the other line. */
  readonly medium?: number
  /** Compares with the same window this long before: `above` and `below` are percent then. */
  readonly comparedTo?: Duration
  /** Sentry's own anomaly detection, by how readily it answers, in place of a line. */
  readonly anomaly?: 'low' | 'medium' | 'high'
  /** Shown with the issue. */
  readonly description?: string
  /** Default: the file's. */
  readonly environment?: string
  /** Default true. */
  readonly enabled?: boolean
}

/** A query as Sentry's API takes it. */
export interface SentryMeasure {
  /** Such as `p95(measurements.lcp)`. */
  readonly aggregate: string
  /** Such as `events` or `events_analytics_platform`. */
  readonly dataset: string
  /** Such as `['error']` or `['trace_item_span']`. */
  readonly eventTypes: readonly string[]
}

/** Who is told of which issues, and how often. */
export interface SentryAlert {
  /** Without the prefix; unique in the file. */
  readonly name: string
  /** Names of monitors of this file. Default: every issue of the project. */
  readonly monitors?: readonly string[]
  /** What has to happen to an issue. Default `['new', 'regressed', 'reappeared']`. */
  readonly when?: readonly ('new' | 'regressed' | 'reappeared' | 'resolved')[]
  /** Conditions that must hold besides, in the words of Sentry's API, such as `{ type: 'level', comparison: { level: 40, match: 'gte' } }`. */
  readonly only?: readonly { readonly type: string; readonly comparison: unknown }[]
  /** How many of `only` must hold. Default `all`. */
  readonly match?: 'all' | 'any' | 'none'
  /** At most once in this time for an issue: 0, 5, 10 or 30 minutes, 1, 3, 12 or 24 hours. Default 30 m. */
  readonly every?: Duration
  /** Where it goes. At least one. */
  readonly notify: readonly SentryAction[]
  /** Default: the file's. */
  readonly environment?: string
  /** Default true. */
  readonly enabled?: boolean
}

/** One way to tell people. Ids are those of Sentry's pages and API. */
export type SentryAction =
  /** The suggested assignees; where there are none, these. */
  | { readonly owners: 'ActiveMembers' | 'AllMembers' | 'NoOne' }
  | { readonly team: string }
  | { readonly user: string }
  /** A channel such as `#ops`, by the id of the Slack integration. */
  | {
      readonly slack: string
      readonly integration: string
      /** Tags that are shown, such as `environment,level`. */
      readonly tags?: string
    }
  /** Anything else Sentry can do, in the words of its API. */
  | {
      readonly type: string
      readonly config: Readonly<Record<string, unknown>>
      readonly data?: Readonly<Record<string, unknown>>
      readonly integrationId?: string
    }
