import { BOUNDS, classOf } from './histogram.ts'

/** What was counted of one route in one minute. */
export interface Tally {
  requests: number
  errors: number
  /** By class of duration. */
  durations: number[]
}

/** Counted by route. */
export type Tallies = Map<string, Tally>

const MAX_ROUTES = 100
/** Takes what comes after the first hundred routes of a minute. */
const OTHER = '(other)'

/** An empty tally. */
export function emptyTally(): Tally {
  return { requests: 0, errors: 0, durations: new Array(BOUNDS.length + 1).fill(0) as number[] }
}

/** Adds one to the other. */
export function addTally(into: Tally, from: Tally): void {
  into.requests += from.requests
  into.errors += from.errors
  for (const [i, n] of from.durations.entries()) into.durations[i] = (into.durations[i] ?? 0) + n
}

/** Counts requests in this isolate's memory, by minute and route, until they are taken. Bounded. */
export class Counts {
  readonly #minutes = new Map<number, Tallies>()

  /** One request is over. */
  count(route: string, failed: boolean, duration: number, now: number): void {
    const minute = Math.floor(now / 60_000)
    let routes = this.#minutes.get(minute)
    if (routes === undefined) {
      routes = new Map()
      this.#minutes.set(minute, routes)
    }
    const name = routes.has(route) || routes.size < MAX_ROUTES ? route.slice(0, 200) : OTHER
    let tally = routes.get(name)
    if (tally === undefined) {
      tally = emptyTally()
      routes.set(name, tally)
    }
    tally.requests += 1
    if (failed) tally.errors += 1
    const place = classOf(duration)
    tally.durations[place] = (tally.durations[place] ?? 0) + 1
  }

  get empty(): boolean {
    return this.#minutes.size === 0
  }

  /** Takes everything; what is counted from now on is new. */
  take(): ReadonlyMap<number, Tallies> {
    const taken = new Map(this.#minutes)
    this.#minutes.clear()
    return taken
  }

  /** Puts back what could not be delivered, if it is still of use. */
  restore(taken: ReadonlyMap<number, Tallies>, now: number): void {
    const oldest = Math.floor(now / 60_000) - 2
    for (const [minute, routes] of taken) {
      if (minute < oldest) continue
      const into = this.#minutes.get(minute) ?? new Map<string, Tally>()
      this.#minutes.set(minute, into)
      for (const [route, tally] of routes) {
        const known = into.get(route)
        if (known) addTally(known, tally)
        else into.set(route, tally)
      }
    }
  }
}
