import process from 'node:process'
import { applyPlan, type RemoteState, readRemote } from './alerts/apply.ts'
import { readDeclaration } from './alerts/declaration.ts'
import { alertState, monitorState } from './alerts/payloads.ts'
import { isEmpty, type Plan, planOf, planText } from './alerts/plan.ts'
import { CommandFailed, type CommandInput, type CommandModule, UsageError } from './command.ts'
import { SentryApi, sentryAccess } from './sentry-api.ts'

/** As it is typed. */
export const name: CommandModule['name'] = 'alerts'
/** One line for the list of commands. */
export const summary: CommandModule['summary'] = "Sentry's monitors and alerts as code"
/** What follows the command. */
export const positionals: string = '<plan|apply>'
/** More for its help. */
export const details: string = `What shall be is in sentry-alerts.ts (or .mjs, .js, .json), exported as \`alerts\`; its type is
SentryAlerts of breakwater/alerts.

  plan    show what differs; with --check, exit with 1 if anything does
  apply   make Sentry so, and look once more

Only what begins with the file's prefix ("breakwater: ") is looked at, changed or removed. What somebody has changed
by hand is shown as drift and set back by apply.

SENTRY_AUTH_TOKEN (scopes alerts:read, alerts:write, project:read), SENTRY_ORG, SENTRY_PROJECT and, for one that is
not sentry.io, SENTRY_URL come from the environment.`

const OPTIONS = {
  file: { type: 'string', value: 'FILE', summary: 'the declaration (sentry-alerts.ts)' },
  check: { type: 'boolean', summary: 'plan: exit with 1 when there is a difference' },
  json: { type: 'boolean', summary: 'print one JSON object' },
} as const

/** Flags. */
export const options: CommandModule['options'] = OPTIONS

const print = (text: string): void => void process.stdout.write(`${text}\n`)

/** Runs it. */
export async function run(input: CommandInput): Promise<number> {
  const values = input.values as CommandInput<typeof OPTIONS>['values']
  const [action, ...more] = input.positionals
  if ((action !== 'plan' && action !== 'apply') || more.length > 0)
    throw new UsageError('breakwater alerts needs one of: plan, apply.')
  if (values.check && action !== 'plan') throw new UsageError('--check goes with plan.')
  const declared = await readDeclaration(values.file)
  const { prefix = 'breakwater: ', environment, monitors = [], alerts } = declared
  const states = {
    monitors: monitors.map((one) => monitorState(one, prefix, environment)),
    alerts: alerts.map((one) => alertState(one, prefix, environment)),
  }
  const api = new SentryApi(sentryAccess(declared))
  const look = async (): Promise<{ remote: RemoteState; plan: Plan }> => {
    const remote = await readRemote(api, prefix, new Set(states.alerts.map((one) => one.name)))
    return { remote, plan: planOf(states, remote, prefix) }
  }
  const { remote, plan } = await look()
  print(values.json ? JSON.stringify(plan) : planText(plan))
  if (action === 'plan') return values.check && !isEmpty(plan) ? 1 : 0
  if (isEmpty(plan)) return 0
  const say = (line: string): void => void (values.json || print(line))
  await applyPlan(api, plan, remote.ids, say)
  const after = (await look()).plan
  if (!isEmpty(after))
    throw new CommandFailed(`Sentry keeps something else than it was told:\n${planText(after)}`)
  say('All is as declared.')
  return 0
}
