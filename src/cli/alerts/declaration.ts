import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { SentryAlert, SentryAlerts, SentryMonitor } from '../../alerts/index.ts'
import { type Duration, milliseconds } from '../../core/index.ts'
import { CommandFailed, UsageError } from '../command.ts'

/** Where the declaration is looked for when nobody says. */
const FILES: readonly string[] = [
  'sentry-alerts.ts',
  'sentry-alerts.mjs',
  'sentry-alerts.js',
  'sentry-alerts.json',
]
const MEASURES = ['errors', 'users', 'throughput', 'failure-rate', 'duration']
const WHEN = ['new', 'regressed', 'reappeared', 'resolved']
const EVERY = [0, 5, 10, 30, 60, 180, 720, 1440]

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Reads and checks the declaration.
 * @throws {CommandFailed} when there is none or it cannot be loaded; {UsageError} with the place of what is wrong in it.
 */
export async function readDeclaration(given: string | undefined): Promise<SentryAlerts> {
  const file = given ?? FILES.find((one) => existsSync(one))
  if (file === undefined) throw new CommandFailed(`There is no ${FILES[0]} here, and no --file was given.`)
  let found: unknown
  try {
    if (file.endsWith('.json')) found = JSON.parse(readFileSync(file, 'utf8'))
    else {
      const module = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>
      found = module['alerts'] ?? module['default']
    }
  } catch (error) {
    throw new CommandFailed(`${file} cannot be loaded: ${(error as Error).message}`)
  }
  if (!isObject(found)) throw new UsageError(`${file} exports no \`alerts\`.`)
  checkDeclaration(found, file)
  return found as unknown as SentryAlerts
}

function checkDeclaration(found: Record<string, unknown>, file: string): void {
  const wrong = (what: string): UsageError => new UsageError(`${file}: ${what}.`)
  for (const key of ['organization', 'project', 'prefix', 'environment']) {
    const value = found[key]
    if (value !== undefined && (typeof value !== 'string' || value.trim() === ''))
      throw wrong(`${key} is text`)
  }
  const { monitors = [], alerts } = found
  if (!Array.isArray(monitors)) throw wrong('monitors is a list')
  if (!Array.isArray(alerts)) throw wrong('alerts is a list')
  const names = (of: string, all: readonly unknown[]): Set<string> => {
    const seen = new Set<string>()
    for (const [i, one] of all.entries()) {
      const name = isObject(one) ? one['name'] : undefined
      if (typeof name !== 'string' || name.trim() === '' || name.length > 150)
        throw wrong(`${of}[${i}] needs a name of up to 150 characters`)
      if (seen.has(name)) throw wrong(`${of} has "${name}" twice`)
      seen.add(name)
    }
    return seen
  }
  const known = names('monitors', monitors)
  names('alerts', alerts)
  for (const one of monitors as SentryMonitor[]) {
    const fault = monitorFault(one)
    if (fault) throw wrong(`monitor "${one.name}": ${fault}`)
  }
  for (const one of alerts as SentryAlert[]) {
    const fault = alertFault(one, known)
    if (fault) throw wrong(`alert "${one.name}": ${fault}`)
  }
}

/** Milliseconds, or NaN. */
function length(value: unknown): number {
  try {
    return milliseconds(value as Duration)
  } catch {
    return Number.NaN
  }
}

function monitorFault(monitor: SentryMonitor): string | undefined {
  const { measure, window, above, below, medium, anomaly, comparedTo } = monitor
  if (typeof measure === 'string' ? !MEASURES.includes(measure) : !isObject(measure))
    return `measure is one of ${MEASURES.join(', ')}, or { aggregate, dataset, eventTypes }`
  if (
    typeof measure !== 'string' &&
    (typeof measure.aggregate !== 'string' ||
      typeof measure.dataset !== 'string' ||
      !Array.isArray(measure.eventTypes))
  )
    return 'measure needs aggregate, dataset and eventTypes'
  const minutes = length(window) / 60_000
  if (!(Number.isInteger(minutes) && minutes >= 1 && minutes <= 1440))
    return 'window is whole minutes, 1 m to 1 d'
  if ([above, below, anomaly].filter((one) => one !== undefined).length !== 1)
    return 'needs one of above, below and anomaly'
  for (const [key, value] of Object.entries({ above, below, medium })) {
    if (value !== undefined && !Number.isFinite(value)) return `${key} is a number`
  }
  if (anomaly !== undefined && !['low', 'medium', 'high'].includes(anomaly))
    return 'anomaly is low, medium or high'
  if (medium !== undefined && anomaly !== undefined) return 'medium goes with above or below'
  if (medium !== undefined && above !== undefined && medium >= above) return 'medium must be less than above'
  if (medium !== undefined && below !== undefined && medium <= below) return 'medium must be more than below'
  if (comparedTo !== undefined && (anomaly !== undefined || !(length(comparedTo) >= 60_000)))
    return 'comparedTo is a time such as 1 h, and goes with above or below'
  return undefined
}

function alertFault(alert: SentryAlert, monitors: ReadonlySet<string>): string | undefined {
  const unknown = alert.monitors?.find((name) => !monitors.has(name))
  if (unknown !== undefined) return `there is no monitor "${unknown}" in the file`
  if (alert.monitors?.length === 0) return 'monitors is not empty; leave it out for every issue'
  const odd = alert.when?.find((one) => !WHEN.includes(one))
  if (odd !== undefined) return `when is a list of ${WHEN.join(', ')}, not "${odd}"`
  if (alert.match !== undefined && !['all', 'any', 'none'].includes(alert.match))
    return 'match is all, any or none'
  if (alert.every !== undefined && !EVERY.includes(length(alert.every) / 60_000))
    return 'every is 0, 5, 10 or 30 minutes, or 1, 3, 12 or 24 hours'
  if (!Array.isArray(alert.notify) || alert.notify.length === 0) return 'notify needs somebody'
  for (const one of alert.notify) {
    if (!isObject(one)) return 'notify is a list of objects'
    if ('slack' in one && typeof one['integration'] !== 'string')
      return 'slack needs the id of the integration'
    if (['owners', 'team', 'user', 'slack'].some((key) => typeof one[key] === 'string')) continue
    if (typeof one['type'] !== 'string' || !isObject(one['config']))
      return 'notify takes owners, team, user, slack, or { type, config }'
    if (one['type'] === 'slack') return 'write { slack, integration } for Slack'
  }
  return undefined
}
