import { CommandFailed } from '../command.ts'
import type { SentryApi } from '../sentry-api.ts'
import { ALL_ISSUES, type AlertState, alertBody, type MonitorState, monitorBody } from './payloads.ts'
import type { Plan } from './plan.ts'
import { monitorNames, type Remote, readAlert, readMonitor } from './remote.ts'

const READ = 'alerts:read and project:read'
const WRITE = 'alerts:write and project:read'

/** What Sentry has. */
export interface RemoteState {
  readonly monitors: readonly Remote<MonitorState>[]
  readonly alerts: readonly Remote<AlertState>[]
  /** Numbers of monitors by name, and of the one for all issues. */
  readonly ids: ReadonlyMap<string, number>
}

/**
 * Asks Sentry what this project has. Four requests, and one more for each further hundred.
 *
 * Alerts belong to the organization: those of other projects are left out, whatever they are called. One whose monitors
 * somebody has removed belongs to no project; it is ours when the file has one of that name.
 * @param declared full names of the alerts of the file.
 */
export async function readRemote(
  api: SentryApi,
  prefix: string,
  declared: ReadonlySet<string>,
): Promise<RemoteState> {
  const { organization, project } = api.access
  const path = `/api/0/projects/${encodeURIComponent(organization)}/${encodeURIComponent(project)}/`
  const found = (await api.call(path, { what: 'project', scopes: READ })) as { id?: unknown } | undefined
  // Asked for by kind: without one Sentry leaves some out.
  const ofType = (type: string): Promise<unknown[]> =>
    api.all(api.organization(`/detectors/?project=${String(found?.id)}&query=type:${type}`), {
      what: 'monitors',
      scopes: READ,
    })
  const detectors = [...(await ofType('metric_issue')), ...(await ofType('issue_stream'))]
  const names = monitorNames(detectors, prefix)
  const here = new Set(detectors.map((one) => String((one as { id?: unknown }).id)))
  const workflows = await api.all(api.organization('/workflows/'), { what: 'alerts', scopes: READ })
  return {
    monitors: detectors.flatMap((one) => readMonitor(one) ?? []),
    alerts: workflows.flatMap((one) => {
      const { detectorIds, name } = one as { detectorIds?: unknown; name?: unknown }
      const of = Array.isArray(detectorIds) ? detectorIds.map(String) : []
      const ours = of.length === 0 ? declared.has(String(name)) : of.some((id) => here.has(id))
      return ours ? [readAlert(one, names)] : []
    }),
    ids: new Map([...names].map(([id, name]) => [name, Number(id)])),
  }
}

/** Does what the plan says: monitors before the alerts that name them, and gone after those are gone. */
export async function applyPlan(
  api: SentryApi,
  plan: Plan,
  known: ReadonlyMap<string, number>,
  say: (line: string) => void,
): Promise<void> {
  const ids = new Map(known)
  const { project } = api.access
  for (const step of plan.monitors) {
    if (step.kind === 'remove') continue
    const { name } = step.state
    const options = { what: `the monitor "${name}"`, scopes: WRITE, body: monitorBody(step.state) }
    if (step.kind === 'create') {
      const at = api.organization(`/projects/${encodeURIComponent(project)}/detectors/`)
      const made = (await api.call(at, { ...options, method: 'POST' })) as { id?: unknown } | undefined
      ids.set(name, Number(made?.id))
    } else await api.call(api.organization(`/detectors/${step.id}/`), { ...options, method: 'PUT' })
    say(`${step.kind === 'create' ? 'made' : 'changed'} the monitor "${name}"`)
  }
  for (const step of plan.alerts) {
    if (step.kind === 'remove') {
      const what = `the alert "${step.name}"`
      await api.call(api.organization(`/workflows/${step.id}/`), { what, scopes: WRITE, method: 'DELETE' })
      say(`removed ${what}`)
      continue
    }
    const { name, monitors } = step.state
    const detectors = monitors.map((one) => {
      const id = ids.get(one)
      if (id === undefined || Number.isNaN(id))
        throw new CommandFailed(
          one === ALL_ISSUES
            ? `Sentry has no monitor for all issues of ${project}; name monitors for the alert "${name}".`
            : `Sentry told no number for the monitor "${one}".`,
        )
      return id
    })
    const options = { what: `the alert "${name}"`, scopes: WRITE, body: alertBody(step.state, detectors) }
    if (step.kind === 'create')
      await api.call(api.organization('/workflows/'), { ...options, method: 'POST' })
    else await api.call(api.organization(`/workflows/${step.id}/`), { ...options, method: 'PUT' })
    say(`${step.kind === 'create' ? 'made' : 'changed'} the alert "${name}"`)
  }
  for (const step of plan.monitors) {
    if (step.kind !== 'remove') continue
    const what = `the monitor "${step.name}"`
    await api.call(api.organization(`/detectors/${step.id}/`), { what, scopes: WRITE, method: 'DELETE' })
    say(`removed ${what}`)
  }
}
