import type { Tallies } from './counts.ts'
import { BOUNDS } from './histogram.ts'
import { sum } from './store.ts'

/** Requests and errors. */
export type Pair = readonly [requests: number, errors: number]

/** One of the last five minutes. */
export interface RecentMinute {
  readonly minute: number
  readonly routes: Readonly<Record<string, Pair>>
  readonly durations: readonly number[]
}

/** An alert that has been told and is not over. */
export interface Firing {
  readonly rule: string
  readonly route?: string
  readonly since: number
  /** Minutes in a row that were well. */
  calm: number
}

/** What one look leaves for the next. */
export interface AlertState {
  readonly v: 1
  /** Requests and errors by route, fading: what is an hour old counts for a third. In a steady state, an hour's worth. */
  hour: Record<string, Pair>
  recent: RecentMinute[]
  /** The last minute with a request in it, and the last that was looked at. */
  lastActive: number
  lastLook: number
  firing: Record<string, Firing>
}

/** Before the first look. */
function emptyState(): AlertState {
  return { v: 1, hour: {}, recent: [], lastActive: 0, lastLook: 0, firing: {} }
}

/** Reads a state; what cannot be read is a new one. */
export function readState(text: string | undefined): AlertState {
  try {
    const state = JSON.parse(text ?? '') as AlertState
    return state.v === 1 ? state : emptyState()
  } catch {
    return emptyState()
  }
}

const FADE = 59 / 60
const FORGET = 0.01
/** Alerts during which a minute is no example of how things should be. */
const LESSONS: ReadonlySet<string> = new Set(['error-rate', 'jump', 'silence'])

/** Fades what was and adds one minute, but nothing of routes that are failing: the measure must not learn the failure. */
export function learn(state: AlertState, minute: RecentMinute): void {
  const failing = Object.values(state.firing).filter(({ rule }) => LESSONS.has(rule))
  const skip = new Set(failing.map(({ route }) => route))
  // All of it fails.
  if (skip.has(undefined)) return
  const hour: Record<string, Pair> = {}
  for (const [route, [requests, errors]] of Object.entries(state.hour)) {
    if (skip.has(route)) hour[route] = [requests, errors]
    else if (requests * FADE > FORGET) hour[route] = [requests * FADE, errors * FADE]
  }
  for (const [route, [requests, errors]] of Object.entries(minute.routes)) {
    if (skip.has(route)) continue
    const [r, e] = hour[route] ?? [0, 0]
    hour[route] = [r + requests, e + errors]
  }
  state.hour = hour
}

/** A minute's counts in the form that is kept. */
export function minuteOf(minute: number, tallies: Tallies): RecentMinute {
  const routes: Record<string, Pair> = {}
  for (const [route, { requests, errors }] of tallies) routes[route] = [requests, errors]
  return { minute, routes, durations: sum(tallies.values()).durations.slice(0, BOUNDS.length + 1) }
}

/** Requests and errors of several in one. */
export function total(pairs: Iterable<Pair>): Pair {
  let requests = 0
  let errors = 0
  for (const [r, e] of pairs) {
    requests += r
    errors += e
  }
  return [requests, errors]
}
