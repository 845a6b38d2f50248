import { isDeepStrictEqual } from 'node:util'
import type { AlertState, MonitorState } from './payloads.ts'
import type { Remote } from './remote.ts'

/** One member that is not as the file says. */
export interface Difference {
  /** Such as `conditions[0].comparison`. */
  readonly path: string
  readonly sentry: unknown
  readonly file: unknown
}

/** What is to be done with one monitor or alert. */
export type Step<State> =
  | { readonly kind: 'create'; readonly state: State }
  | {
      readonly kind: 'change'
      readonly id: string
      readonly state: State
      readonly differences: readonly Difference[]
    }
  | { readonly kind: 'remove'; readonly id: string; readonly name: string }

/** All that is to be done, and how much is as declared already. */
export interface Plan {
  readonly monitors: readonly Step<MonitorState>[]
  readonly alerts: readonly Step<AlertState>[]
  readonly same: number
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Where two values differ, as deep down as it can be said. */
function differences(sentry: unknown, file: unknown, path = ''): Difference[] {
  if (isDeepStrictEqual(sentry, file)) return []
  if (isObject(sentry) && isObject(file)) {
    return [...new Set([...Object.keys(sentry), ...Object.keys(file)])].flatMap((key) =>
      // Sentry fills in members that nobody asked for; null and absence are the same to it.
      (sentry[key] ?? null) === null && (file[key] ?? null) === null
        ? []
        : differences(sentry[key], file[key], path === '' ? key : `${path}.${key}`),
    )
  }
  if (Array.isArray(sentry) && Array.isArray(file) && sentry.length === file.length) {
    return sentry.flatMap((one, i) => differences(one, file[i], `${path}[${i}]`))
  }
  return [{ path, sentry, file }]
}

function steps<State extends { readonly name: string }>(
  declared: readonly State[],
  remote: readonly Remote<State>[],
  prefix: string,
): { readonly steps: Step<State>[]; readonly same: number } {
  const out: Step<State>[] = []
  const left = remote.filter(({ state }) => state.name.startsWith(prefix))
  let same = 0
  for (const state of declared) {
    const at = left.findIndex((one) => one.state.name === state.name)
    const [found] = at === -1 ? [] : left.splice(at, 1)
    if (found === undefined) {
      out.push({ kind: 'create', state })
      continue
    }
    const differing = differences(found.state, state)
    if (differing.length === 0) same += 1
    else out.push({ kind: 'change', id: found.id, state, differences: differing })
  }
  for (const { id, state } of left) out.push({ kind: 'remove', id, name: state.name })
  return { steps: out, same }
}

/** Compares what is declared with what Sentry has. Only what begins with the prefix is looked at. */
export function planOf(
  declared: { readonly monitors: readonly MonitorState[]; readonly alerts: readonly AlertState[] },
  remote: {
    readonly monitors: readonly Remote<MonitorState>[]
    readonly alerts: readonly Remote<AlertState>[]
  },
  prefix: string,
): Plan {
  const monitors = steps(declared.monitors, remote.monitors, prefix)
  const alerts = steps(declared.alerts, remote.alerts, prefix)
  return { monitors: monitors.steps, alerts: alerts.steps, same: monitors.same + alerts.same }
}

/** Whether there is nothing to do. */
export const isEmpty = ({ monitors, alerts }: Plan): boolean => monitors.length + alerts.length === 0

const shown = (value: unknown): string => {
  const json = JSON.stringify(value) ?? 'nothing'
  return json.length > 160 ? `${json.slice(0, 157)}…` : json
}

function lines(what: string, step: Step<{ readonly name: string }>): string[] {
  if (step.kind === 'create') return [`+ ${what} "${step.state.name}"`]
  if (step.kind === 'remove') return [`- ${what} "${step.name}": not in the file`]
  return [
    `~ ${what} "${step.state.name}": has drifted from the file`,
    ...step.differences.map(
      ({ path, sentry, file }) => `    ${path}: ${shown(sentry)} in Sentry, ${shown(file)} in the file`,
    ),
  ]
}

/** The plan for people. */
export function planText(plan: Plan): string {
  return [
    ...plan.monitors.flatMap((step) => lines('monitor', step)),
    ...plan.alerts.flatMap((step) => lines('alert', step)),
    isEmpty(plan) ? `All ${plan.same} are as declared.` : `= ${plan.same} as declared`,
  ].join('\n')
}
