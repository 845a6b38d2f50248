import { binomialTail, chanceOfJump } from './chance.ts'
import type { Tallies } from './counts.ts'
import { quantile } from './histogram.ts'
import type { Thresholds } from './rules.ts'
import { type AlertState, learn, minuteOf, type Pair, total } from './state.ts'

/** What people are told. */
export interface Notice {
  /** Of this alert; the same when it begins and when it is over. */
  readonly key: string
  readonly rule: 'error-rate' | 'jump' | 'silence' | 'latency' | 'dead-letters' | 'backup'
  readonly status: 'firing' | 'resolved'
  /** One line. */
  readonly title: string
  /** Numbers, for those who want to know why. */
  readonly detail: string
  readonly route?: string
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly at: number
}

/** What one look sees. */
export interface Look {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** The last complete minute, and the one before, whose late counts are in by now. */
  readonly fresh: Tallies
  readonly late: Tallies
  /** Undefined: not known at this look, nothing changes. */
  readonly deadLetters?: number | undefined
  /** Milliseconds since the epoch; `null` when there is none. */
  readonly lastBackup?: number | null | undefined
}

type Finding = Pick<Notice, 'rule' | 'title' | 'detail'> & { readonly route?: string }

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
const where = (route: string): string => (route === '' ? '' : ` at ${route}`)

function* byRoute(list: Readonly<Record<string, Pair>>): Generator<readonly [string, Pair]> {
  yield ['', total(Object.values(list))]
  yield* Object.entries(list)
}

function merged(lists: readonly Readonly<Record<string, Pair>>[]): Record<string, Pair> {
  const out: Record<string, Pair> = {}
  for (const list of lists) {
    for (const [route, pair] of Object.entries(list)) out[route] = total([out[route] ?? [0, 0], pair])
  }
  return out
}

/** Which rules are broken now. */
function* findings(state: AlertState, look: Look, rules: Thresholds): Generator<Finding> {
  const minute = Math.floor(look.now / 60_000)
  const { errorRate, jump, silence, latency, deadLetters, backup } = rules
  const five = state.recent.filter((one) => one.minute > minute - 6)
  const fresh = state.recent.find((one) => one.minute === minute - 1)?.routes ?? {}
  if (errorRate) {
    for (const [route, [requests, errors]] of byRoute(merged(five.map(({ routes }) => routes)))) {
      const { above, minRequests, minErrors } = errorRate
      if (requests < minRequests || errors < minErrors || errors / requests <= above) continue
      // A route that lives just below the threshold is above it now and then.
      if (binomialTail(errors, requests, above) >= errorRate.chance) continue
      yield {
        rule: 'error-rate',
        ...(route !== '' && { route }),
        title: `${percent(errors / requests)} of requests fail${where(route)}`,
        detail: `${errors} of ${requests} requests of the last five minutes; the threshold is ${percent(above)}`,
      }
    }
  }
  if (jump) {
    const whole = total(Object.values(state.hour))
    for (const [route, [requests, errors]] of byRoute(fresh)) {
      if (errors < jump.minErrors) continue
      const [tries, hits] = (route === '' ? whole : state.hour[route]) ?? [0, 0]
      // Rounded in the direction that alarms less.
      const before = { hits: Math.ceil(hits), tries: Math.floor(tries) }
      const chance = chanceOfJump({ hits: errors, tries: requests }, before, jump.factor)
      if (chance >= jump.chance) continue
      yield {
        rule: 'jump',
        ...(route !== '' && { route }),
        title: `Errors have jumped${where(route)}`,
        detail: `${errors} of ${requests} requests of the last minute; ${before.hits} of ${before.tries} in the hour before. Chance alone: ${chance.toExponential(0)}`,
      }
    }
  }
  if (silence && state.lastActive > 0) {
    const quiet = minute - 1 - state.lastActive
    const pace = total(Object.values(state.hour))[0] / 60
    // Of Poisson arrivals at a quarter of the pace, none in all this time: less than e^-21, once in a billion.
    if (quiet >= silence.minMinutes && (pace / 4) * quiet >= 21) {
      yield {
        rule: 'silence',
        title: `No request for ${quiet} minutes`,
        detail: `The hour before had ${pace.toFixed(1)} a minute`,
      }
    }
  }
  if (latency) {
    const durations: number[] = []
    for (const one of five)
      for (const [i, n] of one.durations.entries()) durations[i] = (durations[i] ?? 0) + n
    const requests = durations.reduce((all, n) => all + n, 0)
    const p95 = quantile(durations, 0.95)
    if (requests >= latency.minRequests && p95 > latency.p95) {
      yield {
        rule: 'latency',
        title: `One request in twenty takes more than ${latency.p95} ms`,
        detail: `p95 over ${requests} requests of five minutes lies in the class up to ${p95} ms`,
      }
    }
  }
  if (deadLetters && look.deadLetters !== undefined && look.deadLetters > deadLetters.above) {
    yield {
      rule: 'dead-letters',
      title: `${look.deadLetters} jobs are dead`,
      detail: 'They wait for somebody to look: npx breakwater jobs list --state dead',
    }
  }
  if (backup && look.lastBackup !== undefined) {
    const age = look.lastBackup === null ? Number.POSITIVE_INFINITY : look.now - look.lastBackup
    if (age > backup.olderThan) {
      yield {
        rule: 'backup',
        title:
          look.lastBackup === null
            ? 'There is no backup'
            : `The newest backup is ${Math.round(age / 3_600_000)} hours old`,
        detail: `There should be one every ${Math.round(backup.olderThan / 3_600_000)} hours`,
      }
    }
  }
}

/** Rules whose input was not there at this look stay as they are. */
function unknown(rule: string, look: Look): boolean {
  return (
    (rule === 'dead-letters' && look.deadLetters === undefined) ||
    (rule === 'backup' && look.lastBackup === undefined)
  )
}

/**
 * Looks once: takes the counts in, and says what began and what is over since the last look. Changes `state`. Pure
 * otherwise: the same looks give the same notices.
 */
export function evaluate(state: AlertState, look: Look, rules: Thresholds): Notice[] {
  const minute = Math.floor(look.now / 60_000)
  const late = minuteOf(minute - 2, look.late)
  // The first look, or one after a pause: what lies between was not seen and teaches nothing.
  if (state.lastLook > 0) learn(state, late)
  const older = state.recent.filter((one) => one.minute < minute - 2 && one.minute > minute - 6)
  state.recent = [...older, late, minuteOf(minute - 1, look.fresh)]
  for (const one of state.recent) {
    if (Object.keys(one.routes).length > 0) state.lastActive = Math.max(state.lastActive, one.minute)
  }
  state.lastLook = minute

  const notices: Notice[] = []
  const broken = new Set<string>()
  for (const finding of findings(state, look, rules)) {
    const key = finding.route === undefined ? finding.rule : `${finding.rule} ${finding.route}`
    broken.add(key)
    const known = state.firing[key]
    if (known) known.calm = 0
    // One outage fails on every route: the alert about all of them tells enough.
    else if (finding.route !== undefined && broken.has(finding.rule)) broken.delete(key)
    else {
      state.firing[key] = {
        rule: finding.rule,
        since: look.now,
        calm: 0,
        ...(finding.route !== undefined && { route: finding.route }),
      }
      notices.push({ key, status: 'firing', since: look.now, at: look.now, ...finding })
    }
  }
  for (const [key, firing] of Object.entries(state.firing)) {
    if (broken.has(key) || unknown(firing.rule, look) || ++firing.calm < rules.calmMinutes) continue
    delete state.firing[key]
    const minutes = Math.round((look.now - firing.since) / 60_000)
    notices.push({
      key,
      rule: firing.rule as Notice['rule'],
      status: 'resolved',
      title: `Over: ${key}`,
      detail: `It lasted ${minutes} minutes, of which the last ${rules.calmMinutes} were well`,
      ...(firing.route !== undefined && { route: firing.route }),
      since: firing.since,
      at: look.now,
    })
  }
  return notices
}
