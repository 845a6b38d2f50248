import { DurableObject } from 'cloudflare:workers'
import type { State } from '../algorithm.ts'
import { decide, type Mode, type Shelf } from '../stores/decide.ts'
import type { Charge, Outcome } from '../stores/store.ts'

const SWEEP_EVERY = 60_000

/**
 * Where {@link durableObject} counts: export this class from your Worker and bind it (`new_sqlite_classes`). States are in
 * the object's SQLite, so a count survives the object's restarts and is written before the answer leaves; what has ended is
 * swept once a minute.
 *
 * Derive from it and override {@link RateLimitObject.now} to put it on another clock in tests.
 */
export class RateLimitObject extends DurableObject {
  readonly #shelf: Shelf

  constructor(context: DurableObjectState, env: unknown) {
    super(context, env as never)
    const { sql } = context.storage
    sql.exec(
      'create table if not exists limits (key text primary key, state text not null, expires integer not null) without rowid',
    )
    this.#shelf = {
      load(key, us) {
        const [row] = sql
          .exec<{ state: string }>('select state from limits where key = ? and expires > ?', key, us / 1000)
          .toArray()
        return row && (JSON.parse(row.state) as State)
      },
      save(key, state, expires) {
        sql.exec('insert or replace into limits values (?, ?, ?)', key, JSON.stringify(state), expires)
      },
    }
  }

  /** The object's clock, in milliseconds since the epoch. */
  protected now(): number {
    return Date.now()
  }

  /** Decides about charges, all or none. Called by {@link durableObject}. */
  async decide(mode: Mode, charges: readonly Charge[], ms?: number): Promise<Outcome[]> {
    const outcomes = decide(mode, charges, Math.floor(this.now() * 1000), this.#shelf, ms)
    if (mode !== 'peek') await this.#sweepLater()
    return outcomes
  }

  /** Forgets keys. Called by {@link durableObject}. */
  forget(keys: readonly string[]): void {
    for (const key of keys) this.ctx.storage.sql.exec('delete from limits where key = ?', key)
  }

  /** How many keys are kept: what has ended is gone after a minute at the latest. */
  size(): number {
    return this.ctx.storage.sql.exec<{ n: number }>('select count(*) as n from limits').one().n
  }

  /** Sweeps what has ended, and comes back while there is anything left. */
  override async alarm(): Promise<void> {
    this.ctx.storage.sql.exec('delete from limits where expires <= ?', this.now())
    if (this.size() > 0) await this.ctx.storage.setAlarm(Date.now() + SWEEP_EVERY)
  }

  async #sweepLater(): Promise<void> {
    if ((await this.ctx.storage.getAlarm()) === null) {
      await this.ctx.storage.setAlarm(Date.now() + SWEEP_EVERY)
    }
  }
}
