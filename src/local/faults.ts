/** What can be made to go wrong with one request to a stand-in, or with one WebSocket message. */
export interface Fault {
  /** Milliseconds to wait before anything else happens. */
  readonly latency?: number
  /** Spread of the latency in milliseconds: each wait is drawn evenly from `latency - jitter` to `latency + jitter`. */
  readonly jitter?: number
  /** Answer with this status instead of handling the request. 200 to 599. A WebSocket message cannot have one. */
  readonly status?: number
  /** Body that goes with `status`. Default: one line that says the fault was asked for. */
  readonly body?: string
  /** Header fields that go with `status`, such as `retry-after`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Take the request and never answer. */
  readonly hang?: true
  /**
   * Close the connection without an answer: `before` handling the request, or `after` it, when the effect has
   * happened and only the reply is lost.
   */
  readonly drop?: 'before' | 'after'
  /** How many requests it strikes. Absent: until it is replaced or removed. */
  readonly times?: number
  /** Strikes only requests whose `METHOD /path?query` contains this; WebSocket messages are `WS /path`. */
  readonly match?: string
  /** Strikes only requests, or WebSocket messages, whose body contains this text. */
  readonly contains?: string
}

/** What a request meets: the sum of the faults that struck it. */
export interface Strike {
  /** Milliseconds to wait first. */
  readonly latency: number
  /** What happens then; `none` when the request is handled as usual. */
  readonly end: 'none' | 'hang' | 'drop' | 'reply'
  /** Whether the connection is closed once the request has been handled. */
  readonly dropAfter: boolean
  /** The answer when `end` is `reply`. */
  readonly reply?: {
    readonly status: number
    readonly body: string
    readonly headers: Readonly<Record<string, string>>
  }
}

/** A fault with what is left of it. */
export type StandingFault = Fault & { readonly left?: number }

/** The faults a stand-in has been told to show. */
export class FaultBox {
  #faults: { readonly fault: Fault; left: number }[] = []

  /** Replaces all faults. */
  set(faults: readonly Fault[]): void {
    this.#faults = faults.map((fault) => ({ fault, left: fault.times ?? Number.POSITIVE_INFINITY }))
  }

  /** Adds to the faults that stand. */
  add(faults: readonly Fault[]): void {
    for (const fault of faults) this.#faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY })
  }

  /** Removes all faults. */
  clear(): void {
    this.#faults = []
  }

  /** The faults that still stand, with how many strikes each has left. */
  list(): StandingFault[] {
    return this.#faults.map(({ fault, left }) => (Number.isFinite(left) ? { ...fault, left } : { ...fault }))
  }

  /** Whether any fault stands. */
  get any(): boolean {
    return this.#faults.length > 0
  }

  /** Whether a fault looks into bodies, so that the host must have one at hand to ask {@link strike}. */
  get readsBodies(): boolean {
    return this.#faults.some(({ fault }) => fault.contains !== undefined)
  }

  /**
   * What a request meets. Faults are tried in the order they were given: latencies add up, and the first one
   * that ends the request hides those behind it, which then keep their strikes.
   */
  strike(target: string, body?: string): Strike {
    let latency = 0
    let dropAfter = false
    for (const standing of this.#faults) {
      const { fault } = standing
      const message = target.startsWith('WS ')
      if (fault.match !== undefined && !target.includes(fault.match)) continue
      if (fault.contains !== undefined && !(body ?? '').includes(fault.contains)) continue
      if (message && fault.status !== undefined) continue
      standing.left--
      latency += delay(fault)
      if (fault.drop === 'after') dropAfter = true
      if (fault.hang) return this.#struck({ latency, dropAfter, end: 'hang' })
      if (fault.drop === 'before') return this.#struck({ latency, dropAfter, end: 'drop' })
      if (fault.status !== undefined)
        return this.#struck({ latency, dropAfter, end: 'reply', reply: reply(fault) })
    }
    return this.#struck({ latency, dropAfter, end: 'none' })
  }

  #struck(strike: Strike): Strike {
    if (this.#faults.some(({ left }) => left <= 0)) this.#faults = this.#faults.filter(({ left }) => left > 0)
    return strike
  }
}

function delay({ latency = 0, jitter = 0 }: Fault): number {
  return Math.max(0, latency + (Math.random() * 2 - 1) * jitter)
}

function reply(fault: Fault): NonNullable<Strike['reply']> {
  return {
    status: fault.status ?? 500,
    body: fault.body ?? 'This fault was asked for at /__breakwater/faults.\n',
    headers: fault.headers ?? {},
  }
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1
const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= 3_600_000
const isText = (value: unknown): value is string => typeof value === 'string'

/** For each key: whether a value will do, and what to say when it will not. */
const KEYS: Record<keyof Fault, readonly [(value: unknown) => boolean, string]> = {
  latency: [isTime, 'milliseconds, 0 to 3600000'],
  jitter: [isTime, 'milliseconds, 0 to 3600000'],
  status: [(value) => isCount(value) && value >= 200 && value <= 599, 'a whole number from 200 to 599'],
  body: [isText, 'a string'],
  headers: [isHeaders, 'an object of header names and string values'],
  hang: [(value) => value === true, 'true'],
  drop: [(value) => value === true || value === 'before' || value === 'after', '"before", "after" or true'],
  times: [isCount, 'a whole number, at least 1'],
  match: [(value) => isText(value) && value !== '', 'a non-empty string'],
  contains: [(value) => isText(value) && value !== '', 'a non-empty string'],
}

function isHeaders(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  try {
    return Object.values(value).every(isText) && new Headers(value as Record<string, string>) !== undefined
  } catch {
    return false
  }
}

/**
 * Reads one fault or an array of them from parsed JSON.
 * @throws TypeError with a sentence that names the key at fault.
 */
export function parseFaults(json: unknown): Fault[] {
  return Array.isArray(json) ? json.map(parseFault) : [parseFault(json)]
}

function parseFault(json: unknown): Fault {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new TypeError('A fault is a JSON object, such as {"latency": 50} or {"status": 503, "times": 2}.')
  }
  const entries = Object.entries(json)
  for (const [key, value] of entries) {
    if (!Object.hasOwn(KEYS, key)) {
      throw new TypeError(`"${key}" is not part of a fault; the parts are ${Object.keys(KEYS).join(', ')}.`)
    }
    const [valid, wanted] = KEYS[key as keyof Fault]
    if (!valid(value)) throw new TypeError(`"${key}" must be ${wanted}.`)
  }
  const fault = json as Fault & { drop?: unknown }
  const effects = ['latency', 'status', 'hang', 'drop'].filter((key) => Object.hasOwn(json, key))
  if (effects.length === 0) throw new TypeError('A fault needs one of latency, status, hang or drop.')
  const ends = effects.filter((key) => key !== 'latency')
  if (ends.length > 1) {
    throw new TypeError(`"${ends[0]}" and "${ends[1]}" cannot both happen to one request: give two faults.`)
  }
  if (fault.status === undefined && (fault.body !== undefined || fault.headers !== undefined)) {
    throw new TypeError('"body" and "headers" go with "status".')
  }
  if (fault.jitter !== undefined && fault.latency === undefined) {
    throw new TypeError('"jitter" goes with "latency".')
  }
  return (fault.drop as unknown) === true ? { ...fault, drop: 'before' } : fault
}
