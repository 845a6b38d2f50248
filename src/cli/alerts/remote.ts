import {
  type Action,
  ALL_ISSUES,
  type AlertState,
  type Condition,
  type MonitorState,
  plainConfig,
} from './payloads.ts'

/** What Sentry keeps under a number. */
export interface Remote<State> {
  readonly id: string
  readonly state: State
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const at = (value: unknown, key: string): unknown => (isObject(value) ? value[key] : undefined)
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const maybe = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

function condition(value: unknown): Condition {
  const result = at(value, 'conditionResult')
  return {
    type: text(at(value, 'type')),
    comparison: at(value, 'comparison'),
    conditionResult: typeof result === 'number' ? result : result === true,
  }
}

function action(value: unknown): Action {
  const [config, data, integration] = [at(value, 'config'), at(value, 'data'), at(value, 'integrationId')]
  return {
    type: text(at(value, 'type')),
    integrationId: integration === null || integration === undefined ? null : String(integration),
    data: isObject(data) ? data : {},
    config: plainConfig(text(at(value, 'type')), isObject(config) ? config : {}),
  }
}

/** A monitor as Sentry tells it; undefined for one of another kind. */
export function readMonitor(value: unknown): Remote<MonitorState> | undefined {
  if (at(value, 'type') !== 'metric_issue') return undefined
  const query = at(at(list(at(value, 'dataSources'))[0], 'queryObj'), 'snubaQuery')
  const config = at(value, 'config')
  const delta = at(config, 'comparisonDelta')
  return {
    id: String(at(value, 'id')),
    state: {
      name: text(at(value, 'name')),
      description: maybe(at(value, 'description')),
      enabled: at(value, 'enabled') !== false,
      environment: maybe(at(query, 'environment')),
      aggregate: text(at(query, 'aggregate')),
      dataset: text(at(query, 'dataset')),
      eventTypes: list(at(query, 'eventTypes')).map(text).sort(),
      query: text(at(query, 'query')),
      timeWindow: Number(at(query, 'timeWindow')),
      detectionType: text(at(config, 'detectionType')),
      comparisonDelta: typeof delta === 'number' ? delta : null,
      conditions: list(at(at(value, 'conditionGroup'), 'conditions')).map(condition),
    },
  }
}

/**
 * An alert as Sentry tells it.
 * @param names of monitors by number.
 */
export function readAlert(value: unknown, names: ReadonlyMap<string, string>): Remote<AlertState> {
  return {
    id: String(at(value, 'id')),
    state: {
      name: text(at(value, 'name')),
      enabled: at(value, 'enabled') !== false,
      environment: maybe(at(value, 'environment')),
      frequency: Number(at(at(value, 'config'), 'frequency')),
      monitors: list(at(value, 'detectorIds'))
        .map((id) => names.get(String(id)) ?? `#${id}`)
        .sort(),
      when: list(at(at(value, 'triggers'), 'conditions')).map(condition),
      filters: list(at(value, 'actionFilters')).map((one) => ({
        logicType: text(at(one, 'logicType')),
        conditions: list(at(one, 'conditions')).map(condition),
        actions: list(at(one, 'actions')).map(action),
      })),
    },
  }
}

/** Names of monitors by number: those of ours, and the one that stands for all issues of the project. */
export function monitorNames(values: readonly unknown[], prefix: string): Map<string, string> {
  const names = new Map<string, string>()
  for (const value of values) {
    const [id, name, type] = [String(at(value, 'id')), text(at(value, 'name')), at(value, 'type')]
    if (type === 'issue_stream') names.set(id, ALL_ISSUES)
    else if (type === 'metric_issue' && name.startsWith(prefix)) names.set(id, name)
  }
  return names
}
