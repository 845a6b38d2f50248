import type { JobsDatabase } from './database.ts'
import { type Finished, finish } from './ending.ts'
import { type Claim, heartbeat } from './lease.ts'

/** How often leases are looked at. Jobs that are quicker never cost this query. */
const BEAT = 5000

/** A lease not looked at for this long may be near its end: within the grace between a timeout and its lease. */
const STALE = 20_000

/** Says when a lease is no longer ours. */
export interface Loss {
  readonly lost: boolean
  /** Called once, when it is lost; undefined to hear no more. */
  onLoss: (() => void) | undefined
}

/** One held lease. A signal for each costs more than most jobs, so it is made for those who ask. */
class Hold implements Loss {
  readonly claim: Claim
  lost = false
  onLoss: (() => void) | undefined
  begun = false
  seen: number = Date.now()

  constructor(claim: Claim) {
    this.claim = claim
  }

  lose(): void {
    this.lost = true
    this.onLoss?.()
  }
}

/**
 * The leases that one batch holds. Every few seconds, one statement renews those of jobs that have not begun, and
 * finds out which jobs were cancelled or taken by others: their handlers' signals are aborted.
 */
export class Holds {
  readonly #db: JobsDatabase
  readonly #held = new Map<string, Hold>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(db: JobsDatabase) {
    this.#db = db
  }

  add(claims: readonly Claim[]): void {
    for (const claim of claims) this.#held.set(claim.id, new Hold(claim))
    this.#timer ??= this.#next()
  }

  /** Says that a job begins. What is returned tells when its lease is lost. */
  async begin(claim: Claim): Promise<Loss> {
    const hold = this.#held.get(claim.id)
    if (hold === undefined) throw new TypeError('No such lease')
    // It waited behind others, and nothing was heard of its lease.
    if (!hold.lost && Math.abs(Date.now() - hold.seen) > STALE) await this.#beat([hold])
    hold.begun = true
    return hold
  }

  /** It has ended, whichever way. */
  drop(id: string): void {
    this.#held.delete(id)
    if (this.#held.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #next(): ReturnType<typeof setTimeout> {
    return setTimeout(async () => {
      // The database is out: the leases end by themselves, and the fence keeps what is true.
      await this.#beat([...this.#held.values()]).catch(() => {})
      this.#timer = this.#held.size > 0 ? this.#next() : undefined
    }, BEAT)
  }

  async #beat(holds: readonly Hold[]): Promise<void> {
    const asked = holds.filter(({ lost }) => !lost)
    if (asked.length === 0) return
    const waiting = asked.filter(({ begun }) => !begun)
    const alive = await heartbeat(
      this.#db,
      asked.map(({ claim }) => claim),
      waiting.map(({ claim }) => claim.id),
    )
    for (const hold of asked) {
      // Whoever has ended meanwhile has dropped its lease, and is not to be told.
      if (alive.has(hold.claim.id)) hold.seen = Date.now()
      else if (this.#held.get(hold.claim.id) === hold) hold.lose()
    }
  }
}

/**
 * Marks jobs without a transaction done together, in one statement for all that end within a moment: nothing is
 * acknowledged before.
 */
export class Finisher {
  readonly #db: JobsDatabase
  #open: { claim: Claim; resolve: (done: boolean) => void; reject: (error: unknown) => void }[] = []
  #busy = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #ready: (ready: Finished['ready']) => void

  constructor(db: JobsDatabase, ready: (ready: Finished['ready']) => void) {
    this.#db = db
    this.#ready = ready
  }

  /** How many more will come is known: the last one need not wait. */
  expect(count: number): void {
    this.#busy += count
    if (this.#busy === 0) this.#flush()
  }

  /** Resolves with false when the lease was lost. */
  finish(claim: Claim): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#open.push({ claim, resolve, reject })
      this.#timer ??= setTimeout(() => this.#flush(), 100)
    })
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const open = this.#open.splice(0)
    if (open.length === 0) return
    finish(
      this.#db,
      open.map(({ claim }) => claim),
    ).then(
      ({ done, ready }) => {
        for (const { claim, resolve } of open) resolve(done.has(claim.id))
        if (ready.length > 0) this.#ready(ready)
      },
      (error) => {
        for (const { reject } of open) reject(error)
      },
    )
  }
}
