import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as pause, setImmediate } from 'node:timers/promises'
import { spanId, uuidv7 } from 'breakwater/core'
import { type Random, randomOf } from './random.ts'

/** A worker, as the platform runs it: it may be gone at any await. */
export interface Process {
  readonly name: string
  dead: boolean
  /** Called when it dies: what it held is let go. */
  readonly onDeath: (() => void)[]
}

/** What goes wrong with one thing that a worker asks of the outside. */
export type Fate = 'well' | 'dies before' | 'refused' | 'dies after' | 'answer lost'

/** Something that waits for its turn. */
interface Waiting {
  readonly process: Process | undefined
  readonly label: string
  /** Not before this moment: whoever waits has been asleep. */
  readonly notBefore: number
  /** Resolves with what tells who waits for it. */
  run(): Promise<() => void>
}

/** Something that has had its turn, and is not over. */
interface Running {
  pid: number
  /** There once it is over. */
  tell: (() => void) | undefined
}

interface Timer {
  readonly id: number
  readonly due: number
  readonly process: Process | undefined
  readonly fn: () => void
}

/**
 * A world with one clock and one order of events. Whatever waits for the database, the queue or a timer waits here, and
 * a seed decides who goes next: the same seed, the same history.
 */
export class World {
  /** Epoch milliseconds; moves when nobody can go on, or by chance. */
  now: number
  readonly random: Random
  /** A digest of all that has happened. */
  history = 0
  events = 0
  readonly #waiting: Waiting[] = []
  readonly #timers: Timer[] = []
  /** Statements that wait for a lock. */
  readonly #parked: Running[] = []
  /** The database session that the last turn has used. */
  session = 0
  /** Whether a session waits for a lock. */
  waitsForLock: (session: number) => Promise<boolean> = async () => false
  readonly #current = new AsyncLocalStorage<Process>()
  #timerIds = 0
  /** Whether things go wrong. */
  chaos = true
  /** Until when each of the outside's parts is down. */
  readonly downUntil: Record<'postgres' | 'queue' | 'provider', number> = {
    postgres: 0,
    queue: 0,
    provider: 0,
  }
  /** Decides what goes wrong instead of chance: told the how-manieth thing of the outside it is. */
  script: ((nth: number) => Fate) | undefined
  /** How many things have been asked of the outside. */
  asked = 0
  trace: ((line: string) => void) | undefined

  constructor(random: Random, start: number) {
    this.random = random
    this.now = start
  }

  get process(): Process | undefined {
    return this.#current.getStore()
  }

  /** Runs something as a worker of its own. */
  spawn(name: string, fn: () => Promise<unknown>): Process {
    const process: Process = { name, dead: false, onDeath: [] }
    this.#current.run(process, () => {
      fn().catch((error: unknown) => this.note(`${name} failed: ${String(error).slice(0, 80)}`))
    })
    return process
  }

  kill(process: Process | undefined): void {
    if (process === undefined || process.dead) return
    process.dead = true
    this.note(`${process.name} dies`)
    for (const fn of process.onDeath.splice(0)) fn()
  }

  /** Waits for its turn, then does `run`; a dead worker's turn never comes. */
  turn<T>(
    label: string,
    run: () => Promise<T>,
    by: Process | 'nobody' | undefined = this.process,
  ): Promise<T> {
    const process = by === 'nobody' ? undefined : by
    return new Promise<T>((resolve, reject) => {
      // Now and then one falls asleep, longer than its lease.
      const asleep = this.chaos && process !== undefined && this.random.chance(0.01)
      this.#waiting.push({
        process,
        label,
        notBefore: this.now + (asleep ? this.random.integer(400_000) : 0),
        run: () =>
          run().then(
            (value) => () => void (process?.dead || resolve(value)),
            (error: unknown) => () => void (process?.dead || reject(error)),
          ),
      })
    })
  }

  /** As {@link World.turn}, for what may fail: the thing itself, its answer, or the worker around it. */
  outside<T>(part: keyof World['downUntil'], label: string, run: () => Promise<T>): Promise<T> {
    const process = this.process
    return this.turn(label, async () => {
      const fate = this.#fate(process, part)
      if (fate === 'dies before') this.kill(process)
      if (fate === 'dies before' || fate === 'refused') throw new Error(`${part} refused the connection`)
      const value = await run()
      if (fate === 'dies after') this.kill(process)
      if (fate === 'answer lost') throw new Error('the answer was lost')
      return value
    })
  }

  #fate(process: Process | undefined, part: keyof World['downUntil']): Fate {
    this.asked++
    if (this.script !== undefined) return this.script(this.asked)
    if (!this.chaos || process === undefined) return 'well'
    const fate = this.random()
    if (this.now < this.downUntil[part]) return 'refused'
    if (fate < 0.006) return 'dies before'
    if (fate < 0.012) return 'refused'
    if (fate < 0.018) return 'dies after'
    return fate < 0.024 ? 'answer lost' : 'well'
  }

  note(line: string): void {
    this.events++
    for (let i = 0; i < line.length; i++)
      this.history = (Math.imul(this.history, 31) + line.charCodeAt(i)) | 0
    this.trace?.(`${new Date(this.now).toISOString().slice(5, 23)} ${line}`)
  }

  /** Until all that can go on without the outside has gone on; only then may anything be drawn. */
  async rest(): Promise<void> {
    await setImmediate()
    await setImmediate()
  }

  /** One event: who goes next, or the clock. Resolves with false when nobody waits for anything. */
  async step(next?: number): Promise<boolean> {
    await this.rest()
    this.#drop()
    const due = this.#timers.filter((timer) => timer.due <= this.now)
    const able = this.#waiting.filter(({ notBefore }) => notBefore <= this.now)
    const choices = due.length + able.length
    if (choices === 0) {
      const moments = [
        ...this.#timers.map((timer) => timer.due),
        ...this.#waiting.map(({ notBefore }) => notBefore),
        ...(next === undefined ? [] : [next]),
      ]
      if (moments.length === 0) return this.#parked.length > 0
      this.now = Math.max(this.now, Math.min(...moments))
      return true
    }
    if (this.chaos && this.random.chance(0.02)) this.now += this.random.integer(20_000)
    const which = this.random.integer(choices)
    if (which < due.length) {
      const timer = due[which] as Timer
      this.#timers.splice(this.#timers.indexOf(timer), 1)
      this.note(`timer of ${timer.process?.name}`)
      if (timer.process) this.#current.run(timer.process, timer.fn)
      else timer.fn()
      return true
    }
    const waiting = able[which - due.length] as Waiting
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
    this.note(`${waiting.process?.name ?? 'world'}: ${waiting.label}`)
    this.session = 0
    await this.#settle(waiting)
    return true
  }

  /**
   * Until a turn is over, or waits for a lock that another holds; then the same of all that waited before. Each is told
   * by itself, in the order of this world: answers arrive in that of the machine.
   */
  async #settle(waiting: Waiting): Promise<void> {
    const one: Running = { pid: 0, tell: undefined }
    const running = waiting.run().then((tell) => {
      one.tell = tell
    })
    await Promise.race([running, pause(4)])
    one.pid = this.session
    if (!(await this.#over(one))) {
      this.note('waits for a lock')
      this.#parked.push(one)
    }
    for (let again = true; again; ) {
      again = false
      for (const each of [...this.#parked]) {
        if (!(await this.#over(each))) continue
        this.#parked.splice(this.#parked.indexOf(each), 1)
        again = true
      }
    }
  }

  /** Waits until something is over, and tells; false when it waits for a lock. */
  async #over(one: Running): Promise<boolean> {
    while (one.tell === undefined) {
      if (await this.waitsForLock(one.pid)) {
        // Unless the server finds that two wait for each other.
        await pause(3)
        if (one.tell === undefined && (await this.waitsForLock(one.pid))) return false
      }
      await pause(1)
    }
    one.tell()
    await this.rest()
    return true
  }

  /** Whether anybody has something under way. */
  get idle(): boolean {
    this.#drop()
    return this.#waiting.length + this.#timers.length + this.#parked.length === 0
  }

  #drop(): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--)
      if (this.#waiting[i]?.process?.dead) this.#waiting.splice(i, 1)
    for (let i = this.#timers.length - 1; i >= 0; i--)
      if (this.#timers[i]?.process?.dead) this.#timers.splice(i, 1)
  }

  /** Puts the world's clock, timers and randomness in the place of the real ones. Returns what undoes it. */
  install(): () => void {
    const real = {
      setTimeout: globalThis.setTimeout,
      clearTimeout: globalThis.clearTimeout,
      now: Date.now,
      bytes: crypto.getRandomValues,
    }
    let drawn = 0
    const ids = randomOf(this.now)
    globalThis.setTimeout = ((fn: () => void, ms = 0) => {
      const id = ++this.#timerIds
      this.#timers.push({ id, due: this.now + ms, process: this.process, fn })
      return id
    }) as unknown as typeof setTimeout
    globalThis.clearTimeout = ((id: number) => {
      const at = this.#timers.findIndex((timer) => timer.id === id)
      if (at >= 0) this.#timers.splice(at, 1)
    }) as unknown as typeof clearTimeout
    // Workers' clocks are wrong by up to a minute, each time by another. Not drawn: others may ask for the time too.
    Date.now = () => this.now + (this.chaos ? ((this.events * 7919) % 120_000) - 60_000 : 0)
    crypto.getRandomValues = ((bytes: Uint8Array) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = drawn === 0 && i < 10 ? i + 1 : ids.integer(256)
      drawn++
      return bytes
    }) as typeof crypto.getRandomValues
    // Ids are cut from a pool: empty what another world has left in it. The last byte of the id that drew a new one
    // says how far into that pool it reached; an id takes 10 bytes and a span's 8, until all worlds begin alike.
    let used = 0
    while (drawn === 0) used = Number.parseInt(uuidv7(0).slice(-2), 16)
    while (used < 100) used += used % 10 === 0 ? uuidv7(0).length - 26 : spanId().length / 2
    return () => {
      globalThis.setTimeout = real.setTimeout
      globalThis.clearTimeout = real.clearTimeout
      Date.now = real.now
      crypto.getRandomValues = real.bytes
    }
  }
}
