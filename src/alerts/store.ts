import { addTally, emptyTally, type Tallies, type Tally } from './counts.ts'

/** The part of `@upstash/redis` that alerts use; what `createRedis` returns fits. */
export interface AlertsRedis {
  eval(script: string, keys: string[], args: (string | number)[]): Promise<unknown>
  get(key: string): Promise<unknown>
  hgetall(key: string): Promise<Record<string, unknown> | null>
  set(key: string, value: string, options: { ex: number; nx?: true }): Promise<unknown>
}

/** Where counts of all isolates meet, and what the last look at them left behind. */
export interface AlertsStore {
  /** Adds counts, in as few commands as there are minutes. */
  add(minutes: ReadonlyMap<number, Tallies>): Promise<void>
  /** What was counted in these minutes, the state, and whether it is this caller who is to look. */
  read(
    minutes: readonly number[],
    claim: number,
  ): Promise<{ tallies: Tallies[]; state: string | undefined; mine: boolean }>
  write(state: string): Promise<void>
}

// One command for a minute's counts, however many routes there are.
const ADD = `for i = 1, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], 900)
return 1`

function flat(routes: Tallies): (string | number)[] {
  const args: (string | number)[] = []
  for (const [route, { requests, errors, durations }] of routes) {
    args.push(`r ${route}`, requests)
    if (errors > 0) args.push(`e ${route}`, errors)
    for (const [i, n] of durations.entries()) if (n > 0) args.push(`d${i} ${route}`, n)
  }
  return args
}

function parse(hash: Record<string, unknown> | null): Tallies {
  const tallies: Tallies = new Map()
  for (const [field, value] of Object.entries(hash ?? {})) {
    const space = field.indexOf(' ')
    const kind = field.slice(0, space)
    const route = field.slice(space + 1)
    const n = Number(value)
    if (space < 1 || !(n > 0)) continue
    let tally = tallies.get(route)
    if (tally === undefined) {
      tally = emptyTally()
      tallies.set(route, tally)
    }
    if (kind === 'r') tally.requests += n
    else if (kind === 'e') tally.errors += n
    else if (kind[0] === 'd') tally.durations[Number(kind.slice(1))] = n
  }
  return tallies
}

/** Everything of some minutes in one tally. */
export function sum(tallies: Iterable<Tally>): Tally {
  const total = emptyTally()
  for (const tally of tallies) addTally(total, tally)
  return total
}

/**
 * Keeps counts in Redis: a hash a minute, kept for 15.
 * @param prefix what keys begin with; default `bw:alerts:`.
 */
export function redisStore(redis: AlertsRedis, prefix = 'bw:alerts:'): AlertsStore {
  const key = (minute: number): string => `${prefix}${minute}`
  return {
    async add(minutes) {
      await Promise.all([...minutes].map(([minute, routes]) => redis.eval(ADD, [key(minute)], flat(routes))))
    },
    async read(minutes, claim) {
      // One tick: one round trip.
      const [mine, state, ...hashes] = await Promise.all([
        redis.set(`${prefix}look:${claim}`, '1', { ex: 120, nx: true }),
        redis.get(`${prefix}state`),
        ...minutes.map((minute) => redis.hgetall(key(minute))),
      ])
      return {
        mine: mine !== null,
        // The client parses what looks like JSON.
        state: state == null ? undefined : typeof state === 'string' ? state : JSON.stringify(state),
        tallies: hashes.map(parse),
      }
    },
    async write(state) {
      await redis.set(`${prefix}state`, state, { ex: 7 * 86_400 })
    },
  }
}

/** Keeps counts in memory: for tests, and where there is one isolate. */
export function memoryStore(): AlertsStore {
  const minutes = new Map<number, Tallies>()
  let state: string | undefined
  let looked = -1
  return {
    async add(more) {
      for (const [minute, routes] of more) {
        const into = minutes.get(minute) ?? new Map<string, Tally>()
        minutes.set(minute, into)
        for (const [route, tally] of routes) {
          const known = into.get(route) ?? emptyTally()
          into.set(route, known)
          addTally(known, tally)
        }
        for (const old of minutes.keys()) if (old < minute - 15) minutes.delete(old)
      }
    },
    async read(wanted, claim) {
      const mine = claim > looked
      looked = Math.max(looked, claim)
      return { mine, state, tallies: wanted.map((minute) => minutes.get(minute) ?? new Map()) }
    },
    async write(given) {
      state = given
    },
  }
}
