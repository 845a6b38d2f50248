import { BreakwaterError, isBreakwaterError } from './errors.ts'
import { RollingWindow } from './rolling-window.ts'
import { type Duration, milliseconds } from './time.ts'
import { currentWork } from './work.ts'

/** Options of {@link breaker}. */
export interface BreakerOptions {
  /**
   * Failures within the window that open the circuit; so do as many in a row, however far apart, when the window saw
   * no success. Default 5.
   */
  readonly failures?: number
  /** The share of calls in the window that must have failed as well, 0 to 1. Default 0.5. */
  readonly ratio?: number
  /** How far back failures count. Default 10 seconds. */
  readonly window?: Duration
  /** How long the circuit stays open at first; it doubles with each failed probe, up to `maxCooldown`. Default 1 second. */
  readonly cooldown?: Duration
  /** Default 30 seconds. */
  readonly maxCooldown?: Duration
  /**
   * How long one probe may take before another is let through. A request can be cancelled in the middle of its probe
   * and then never tells. Default 10 seconds.
   */
  readonly probeTimeout?: Duration
  /**
   * Whether an error is the dependency's fault. By default everything is, but our own errors below 500 and the abort of
   * a caller who went away.
   */
  readonly isFailure?: (error: unknown) => boolean
  /** Called after each change of state. What it throws is dropped. */
  readonly onChange?: (state: BreakerState, name: string) => void
  /** The clock, in milliseconds. Default `Date.now`. */
  readonly now?: () => number
}

/** `closed`: calls go through. `open`: calls are refused. `half-open`: one call probes, the rest is refused. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** What is known about a circuit, for readiness checks and logs. */
export interface BreakerReport {
  readonly state: BreakerState
  /** Failed calls within the window. */
  readonly failures: number
  /** Seconds until the next probe, rounded up; 0 unless open. */
  readonly retryAfter: number
}

/** A circuit breaker around one dependency. It keeps counters only, never a promise or a socket of any request. */
export interface Breaker {
  readonly name: string
  readonly state: BreakerState
  report(): BreakerReport
  /**
   * Calls `fn` unless the circuit is open.
   * @throws BreakwaterError `dependency-unavailable` (503, `Retry-After`) at once while it is open.
   */
  run<T>(fn: () => Promise<T>): Promise<T>
}

const registry = new Map<string, Circuit>()

/**
 * The circuit breaker of this name in this isolate. The first call decides about its options, so that an adapter that is
 * made anew in each request still shares one circuit. Names come from the configuration (`search`, `redis@host`), never
 * from a request.
 * @throws TypeError when options make no sense.
 */
export function breaker(name: string, options: BreakerOptions = {}): Breaker {
  let circuit = registry.get(name)
  if (circuit === undefined) {
    circuit = new Circuit(name, options)
    registry.set(name, circuit)
  }
  return circuit
}

/** Every circuit of this isolate, by name. */
export function breakerStates(): Record<string, BreakerReport> {
  return Object.fromEntries([...registry].map(([name, circuit]) => [name, circuit.report()]))
}

/** Forgets every circuit. For tests. */
export function resetBreakers(): void {
  registry.clear()
}

function countsByDefault(error: unknown): boolean {
  if (isBreakwaterError(error)) return error.status >= 500
  try {
    return (error as Error | undefined)?.name !== 'AbortError'
  } catch {
    return true
  }
}

class Circuit implements Breaker {
  readonly name: string
  readonly #threshold: number
  readonly #ratio: number
  readonly #window: RollingWindow
  readonly #cooldown: number
  readonly #maxCooldown: number
  readonly #probeTimeout: number
  readonly #isFailure: (error: unknown) => boolean
  readonly #onChange: BreakerOptions['onChange']
  readonly #now: () => number

  /** When it opened; undefined while closed. */
  #openUntil: number | undefined
  #wait: number
  #probeUntil: number | undefined
  /** Failures since the last success. Of a dependency that hangs, a quiet service sees fewer than one in a window. */
  #streak = 0
  /** Grows with each change of state: the outcome of a call that began in an earlier one says nothing about this one. */
  #era = 0

  constructor(name: string, options: BreakerOptions) {
    this.name = name
    this.#threshold = options.failures ?? 5
    this.#ratio = options.ratio ?? 0.5
    if (!(Number.isInteger(this.#threshold) && this.#threshold > 0)) {
      throw new TypeError('failures must be a whole number above 0')
    }
    if (!(this.#ratio >= 0 && this.#ratio <= 1)) throw new TypeError('ratio must lie between 0 and 1')
    this.#window = new RollingWindow(milliseconds(options.window ?? 10_000))
    this.#cooldown = Math.max(1, milliseconds(options.cooldown ?? 1000))
    this.#maxCooldown = Math.max(this.#cooldown, milliseconds(options.maxCooldown ?? 30_000))
    this.#probeTimeout = milliseconds(options.probeTimeout ?? 10_000)
    this.#isFailure = options.isFailure ?? countsByDefault
    this.#onChange = options.onChange
    this.#now = options.now ?? Date.now
    this.#wait = this.#cooldown
  }

  get state(): BreakerState {
    if (this.#openUntil === undefined) return 'closed'
    return this.#now() < this.#openUntil ? 'open' : 'half-open'
  }

  report(): BreakerReport {
    const now = this.#now()
    return {
      state: this.state,
      failures: this.#window.totals(now).failures,
      retryAfter: this.#retryAfter(now),
    }
  }

  async run<T>(fn: () => Promise<T>): Promise<T> {
    const probing = this.#enter()
    const era = this.#era
    let value: T
    try {
      const call = fn()
      // What a probe finds out counts for all, even when its own caller stops waiting.
      if (probing) currentWork()?.waitUntil(call.catch(() => {}))
      value = await call
    } catch (error) {
      let counts = true
      try {
        counts = this.#isFailure(error)
      } catch {}
      if (era === this.#era) {
        if (counts) this.#fail(probing)
        else if (probing) this.#probeUntil = undefined // told us nothing: the next call may probe
      }
      throw error
    }
    if (era === this.#era) this.#succeed(probing)
    return value
  }

  /** Lets a call in, and tells whether it is the probe. */
  #enter(): boolean {
    if (this.#openUntil === undefined) return false
    const now = this.#now()
    if (now < this.#openUntil || (this.#probeUntil !== undefined && now < this.#probeUntil)) {
      throw new BreakwaterError('dependency-unavailable', {
        status: 503,
        detail: 'A service we depend on does not answer at the moment.',
        headers: { 'Retry-After': String(Math.max(1, this.#retryAfter(now))) },
        cause: `circuit "${this.name}" is open`,
        // The failures that opened it were reported; the refusals are no news.
        report: false,
      })
    }
    this.#probeUntil = now + this.#probeTimeout
    this.#era++ // an earlier probe that comes back after its time has no say
    return true
  }

  #fail(probing: boolean): void {
    const now = this.#now()
    if (probing) {
      this.#wait = Math.min(this.#wait * 2, this.#maxCooldown)
      this.#open(now)
      return
    }
    this.#window.count(now, true)
    this.#streak++
    const { calls, failures } = this.#window.totals(now)
    const counted = failures === calls ? this.#streak : failures
    if (counted >= this.#threshold && failures >= calls * this.#ratio) this.#open(now)
  }

  #succeed(probing: boolean): void {
    this.#streak = 0
    if (!probing) {
      this.#window.count(this.#now(), false)
      return
    }
    this.#openUntil = undefined
    this.#probeUntil = undefined
    this.#wait = this.#cooldown
    this.#window.clear()
    this.#changed()
  }

  #open(now: number): void {
    // A little chance, so that isolates which opened together do not probe together.
    this.#openUntil = now + this.#wait * (1 + Math.random() * 0.1)
    this.#probeUntil = undefined
    this.#changed()
  }

  #changed(): void {
    this.#era++
    try {
      this.#onChange?.(this.state, this.name)
    } catch {}
  }

  #retryAfter(now: number): number {
    if (this.#openUntil === undefined) return 0
    return Math.max(0, Math.ceil((Math.max(this.#openUntil, this.#probeUntil ?? 0) - now) / 1000))
  }
}
