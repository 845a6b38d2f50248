import type { SentryAction, SentryAlert, SentryMeasure, SentryMonitor } from '../../alerts/index.ts'
import { milliseconds } from '../../core/index.ts'

/** One condition, as Sentry's API has it. */
export interface Condition {
  readonly type: string
  readonly comparison: unknown
  readonly conditionResult: number | boolean
}

/** One action, as Sentry's API has it. */
export interface Action {
  readonly type: string
  readonly integrationId: string | null
  readonly data: Readonly<Record<string, unknown>>
  readonly config: Readonly<Record<string, unknown>>
}

/** What a monitor is, apart from ids and dates: the same from the file and from Sentry, so that the two can be compared. */
export interface MonitorState {
  readonly name: string
  readonly description: string | null
  readonly enabled: boolean
  readonly environment: string | null
  readonly aggregate: string
  readonly dataset: string
  readonly eventTypes: readonly string[]
  readonly query: string
  /** Seconds. */
  readonly timeWindow: number
  readonly detectionType: string
  /** Seconds. */
  readonly comparisonDelta: number | null
  readonly conditions: readonly Condition[]
}

/** What an alert is, apart from ids and dates. */
export interface AlertState {
  readonly name: string
  readonly enabled: boolean
  readonly environment: string | null
  /** Minutes. */
  readonly frequency: number
  /** By name; those that are not of this file by number, and all issues of the project by {@link ALL_ISSUES}. */
  readonly monitors: readonly string[]
  readonly when: readonly Condition[]
  readonly filters: readonly {
    readonly logicType: string
    readonly conditions: readonly Condition[]
    readonly actions: readonly Action[]
  }[]
}

/** Stands for the monitor that every project has, which lets all its issues through. */
export const ALL_ISSUES = '(every issue of the project)'

const EVENTS = { dataset: 'events', eventTypes: ['default', 'error'] }
const SPANS = { dataset: 'events_analytics_platform', eventTypes: ['trace_item_span'] }
const MEASURES: Readonly<Record<string, SentryMeasure>> = {
  errors: { aggregate: 'count()', ...EVENTS },
  users: { aggregate: 'count_unique(tags[sentry:user])', ...EVENTS },
  throughput: { aggregate: 'count(span.duration)', ...SPANS },
  'failure-rate': { aggregate: 'failure_rate()', ...SPANS },
  duration: { aggregate: 'p95(span.duration)', ...SPANS },
}
const WHEN: Readonly<Record<string, string>> = {
  new: 'first_seen_event',
  regressed: 'regression_event',
  reappeared: 'reappeared_event',
  resolved: 'issue_resolved_trigger',
}
const [HIGH, MEDIUM, RESOLVED] = [75, 50, 0]

function lines({ above, below, medium, anomaly }: SentryMonitor): Condition[] {
  if (anomaly !== undefined) {
    // 2: above what is usual, and below.
    const comparison = { seasonality: 'auto', sensitivity: anomaly, thresholdType: 2 }
    return [{ type: 'anomaly_detection', comparison, conditionResult: HIGH }]
  }
  const [beyond, back] = above === undefined ? ['lt', 'gte'] : ['gt', 'lte']
  const line = above ?? below ?? 0
  return [
    { type: beyond, comparison: line, conditionResult: HIGH },
    ...(medium === undefined ? [] : [{ type: beyond, comparison: medium, conditionResult: MEDIUM }]),
    { type: back, comparison: medium ?? line, conditionResult: RESOLVED },
  ]
}

/** A declared monitor, with every default filled in. */
export function monitorState(
  monitor: SentryMonitor,
  prefix: string,
  environment: string | undefined,
): MonitorState {
  const { measure, anomaly, comparedTo } = monitor
  const { aggregate, dataset, eventTypes } =
    typeof measure === 'string' ? (MEASURES[measure] as SentryMeasure) : measure
  return {
    name: prefix + monitor.name,
    description: monitor.description ?? null,
    enabled: monitor.enabled ?? true,
    environment: monitor.environment ?? environment ?? null,
    aggregate,
    dataset,
    eventTypes: [...eventTypes].sort(),
    query: monitor.query ?? (dataset === 'events' ? 'is:unresolved' : 'is_transaction:true'),
    timeWindow: milliseconds(monitor.window) / 1000,
    detectionType: anomaly ? 'dynamic' : comparedTo === undefined ? 'static' : 'percent',
    comparisonDelta: comparedTo === undefined ? null : milliseconds(comparedTo) / 1000,
    conditions: lines(monitor),
  }
}

function action(one: SentryAction): Action {
  const mail = (targetType: string, targetIdentifier: string | null, data = {}): Action => ({
    type: 'email',
    integrationId: null,
    data,
    config: { targetType, ...(targetIdentifier !== null && { targetIdentifier }) },
  })
  if ('owners' in one) return mail('issue_owners', null, { fallthroughType: one.owners })
  if ('team' in one) return mail('team', one.team)
  if ('user' in one) return mail('user', one.user)
  if ('slack' in one) {
    return {
      type: 'slack',
      integrationId: one.integration,
      data: one.tags === undefined ? {} : { tags: one.tags },
      // By name. Sentry looks up the channel's id and keeps it beside.
      config: { targetType: 'specific', targetDisplay: one.slack.replace(/^#/, '') },
    }
  }
  return {
    type: one.type,
    integrationId: one.integrationId ?? null,
    data: one.data ?? {},
    config: plainConfig(one.type, one.config),
  }
}

/** An action's configuration as it is compared: what is empty is absent, and what Sentry looked up itself is left out. */
export function plainConfig(
  type: string,
  config: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(config).filter(
      ([key, value]) => value !== null && value !== '' && !(type === 'slack' && key === 'targetIdentifier'),
    ),
  )
}

/** The configuration with the members that Sentry insists on. */
const fullConfig = (config: Readonly<Record<string, unknown>>): Record<string, unknown> => ({
  targetDisplay: null,
  targetIdentifier: null,
  ...config,
})

/** A declared alert, with every default filled in. */
export function alertState(alert: SentryAlert, prefix: string, environment: string | undefined): AlertState {
  const { when = ['new', 'regressed', 'reappeared'], only = [], match = 'all' } = alert
  return {
    name: prefix + alert.name,
    enabled: alert.enabled ?? true,
    environment: alert.environment ?? environment ?? null,
    frequency: milliseconds(alert.every ?? '30 m') / 60_000,
    monitors: (alert.monitors?.map((name) => prefix + name) ?? [ALL_ISSUES]).sort(),
    when: when.map((one) => ({ type: WHEN[one] as string, comparison: true, conditionResult: true })),
    filters: [
      {
        logicType: match === 'any' ? 'any-short' : match,
        conditions: only.map(({ type, comparison }) => ({ type, comparison, conditionResult: true })),
        actions: alert.notify.map(action),
      },
    ],
  }
}

/** The body that makes a monitor so, or changes it. */
export function monitorBody(state: MonitorState): Record<string, unknown> {
  const { name, description, enabled, environment, aggregate, dataset, query, timeWindow } = state
  const spans = dataset === 'events_analytics_platform'
  return {
    name,
    type: 'metric_issue',
    description,
    enabled,
    dataSources: [
      {
        aggregate,
        dataset,
        environment,
        eventTypes: state.eventTypes,
        query,
        queryType: dataset === 'events' ? 0 : 1,
        timeWindow,
        ...(spans && { extrapolationMode: 'unknown' }),
      },
    ],
    config: {
      detectionType: state.detectionType,
      ...(state.comparisonDelta !== null && { comparisonDelta: state.comparisonDelta }),
    },
    conditionGroup: { logicType: 'any', conditions: state.conditions, actions: [] },
  }
}

/** The body that makes an alert so, or changes it. @param detectors what its monitors are called by number. */
export function alertBody(state: AlertState, detectors: readonly number[]): Record<string, unknown> {
  const { name, enabled, environment, frequency, when, filters } = state
  return {
    name,
    enabled,
    environment,
    config: { frequency },
    detectorIds: detectors,
    triggers: { logicType: 'any-short', conditions: when, actions: [] },
    actionFilters: filters.map(({ logicType, conditions, actions }) => ({
      logicType,
      conditions,
      actions: actions.map((one) => ({ ...one, config: fullConfig(one.config), status: 'active' })),
    })),
  }
}
