import type { Reporter } from '../core/index.ts'
import { type Channel, type Delivery, deliver } from './channel.ts'
import { Counts } from './counts.ts'
import { evaluate, type Notice } from './evaluate.ts'
import { type AlertRules, type Thresholds, thresholds } from './rules.ts'
import { readState } from './state.ts'
import type { AlertsStore } from './store.ts'

/** Options of {@link createAlerts}. */
export interface AlertsOptions {
  /** Where the counts of all isolates meet: `redisStore(redis)`. */
  readonly store: AlertsStore
  /** Who is told. All of them. */
  readonly channels: readonly Channel[]
  /** Who is told when one of the channels cannot be reached. Default nobody. */
  readonly fallback?: readonly Channel[]
  readonly rules?: AlertRules
  /** What is called so in notices. Default `worker`. */
  readonly service?: string
  /** How many jobs are dead. Asked every minute. */
  readonly deadLetters?: () => Promise<number>
  /** When the newest backup was made; undefined when there is none. Asked every ten minutes. */
  readonly lastBackup?: () => Promise<Date | undefined>
  /** Told when something about alerting itself fails. */
  readonly reporter?: Reporter
  /** The clock and the pause, for tests. */
  readonly now?: () => number
  readonly sleep?: (ms: number) => Promise<unknown>
}

/** Flushes happen on a grid this wide, so that a minute's counts are in before the minute is looked at. */
const GRID = 20_000
/** Before the grid's line. */
const LEAD = 3000
const MAX_PENDING = 20

/** Counts requests and tells people. Holds nothing that belongs to a request. */
export class Alerts {
  readonly #options: AlertsOptions
  readonly #rules: Thresholds
  readonly #delivery: Delivery
  readonly #counts = new Counts()
  readonly #now: () => number
  /** When the flush that is under way should have happened. */
  #due = 0

  constructor(options: AlertsOptions) {
    this.#options = options
    this.#rules = thresholds(options.rules)
    this.#now = options.now ?? Date.now
    this.#delivery = {
      service: options.service ?? 'worker',
      channels: options.channels,
      fallback: options.fallback ?? [],
      pauses: [500, 2000],
      timeout: 5000,
      sleep: options.sleep ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms))),
    }
  }

  /**
   * Counts one request, in memory. The counts of an isolate go to the store together, behind a reply, at most three times a
   * minute.
   */
  count(
    route: string,
    failed: boolean,
    duration: number,
    waitUntil: (promise: Promise<unknown>) => void,
  ): void {
    const now = this.#now()
    this.#counts.count(route, failed, duration, now)
    // One that is long overdue went down with its request.
    if (this.#due > now - GRID) return
    this.#due = now + GRID - ((now + LEAD) % GRID)
    waitUntil(this.#delivery.sleep(this.#due - now).then(() => this.flush()))
  }

  /** Takes the counts to the store now. Never rejects: what could not be taken there goes with the next. */
  async flush(): Promise<void> {
    this.#due = 0
    if (this.#counts.empty) return
    const taken = this.#counts.take()
    try {
      await this.#options.store.add(taken)
    } catch {
      this.#counts.restore(taken, this.#now())
    }
  }

  /**
   * Looks at the last minute and tells people what began and what is over. Call it from a cron of every minute. Of several
   * calls in one minute one looks.
   * @returns what was told.
   * @throws when the store cannot be asked: then nobody is watching, and the cron has to fail.
   */
  async look(): Promise<Notice[]> {
    await this.flush()
    const now = this.#now()
    const minute = Math.floor(now / 60_000)
    const { store } = this.#options
    const [{ mine, state: text, tallies }, deadLetters, lastBackup] = await Promise.all([
      store.read([minute - 1, minute - 2], minute),
      this.#ask(this.#options.deadLetters),
      minute % 10 === 0 ? this.#ask(this.#options.lastBackup, true) : undefined,
    ])
    if (!mine) return []
    const kept = JSON.parse(text ?? '{}') as { alerts?: unknown; pending?: Notice[] }
    const state = readState(JSON.stringify(kept.alerts))
    const notices = evaluate(
      state,
      {
        now,
        fresh: tallies[0] ?? new Map(),
        late: tallies[1] ?? new Map(),
        deadLetters: deadLetters ?? undefined,
        lastBackup: lastBackup instanceof Date ? lastBackup.getTime() : lastBackup,
      },
      this.#rules,
    )
    const unsent = await this.#tell([...(kept.pending ?? []), ...notices])
    await store.write(JSON.stringify({ alerts: state, pending: unsent.slice(-MAX_PENDING) }))
    return notices
  }

  /** Returns those that reached nobody: they are tried again with the next look. */
  async #tell(notices: readonly Notice[]): Promise<Notice[]> {
    const outcomes = await Promise.all(notices.map((notice) => deliver(notice, this.#delivery)))
    const failed = new Set(outcomes.flatMap((outcome) => outcome.failed))
    if (failed.size > 0) {
      const names = [...failed].join(', ')
      this.#options.reporter?.captureMessage(`Alert channels that could not be reached: ${names}`, {
        level: 'error',
        mechanism: 'alert',
      })
    }
    return notices.filter((_, i) => !outcomes[i]?.reached)
  }

  /** Undefined when it is not known. */
  async #ask<T>(
    question: (() => Promise<T | undefined>) | undefined,
    orNull = false,
  ): Promise<T | null | undefined> {
    if (question === undefined) return undefined
    try {
      return (await question()) ?? (orNull ? null : undefined)
    } catch (error) {
      this.#options.reporter?.captureException(error, { mechanism: 'alert', level: 'warning' })
      return undefined
    }
  }
}

/**
 * Makes an {@link Alerts}. May live at module scope.
 * @throws TypeError when a rule makes no sense.
 */
export function createAlerts(options: AlertsOptions): Alerts {
  return new Alerts(options)
}
