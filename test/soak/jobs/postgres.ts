import type { JobsDatabase } from 'breakwater/jobs'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import type { World } from './world.ts'

/** The clock of the world, in the place of Postgres' own: `now()` is looked up in this schema first. */
const CLOCK = `
  create schema if not exists sim;
  create or replace function sim.now() returns timestamptz language sql stable
    as $$ select pg_catalog.to_timestamp(pg_catalog.current_setting('sim.now')::float8) $$;
  alter table breakwater.jobs alter column created_at set default sim.now();
  create table if not exists sim.ledger (job uuid, kind text, note text);
  create table if not exists sim.orders (id text primary key, job uuid);`

const CONNECTIONS = 8

interface Line {
  readonly client: pg.Client
  readonly pid: number
  clock: number
  open: boolean
}

/**
 * Real Postgres, one statement at a time: each waits for its turn, and may be lost on the way there or back, or take
 * its worker with it. A statement that waits for a lock is set aside, and the others go on.
 */
export class SimPostgres {
  readonly #lines: Line[]
  #free: Line[]
  readonly #control: pg.Client
  readonly #names = new Map<string, string>()
  /** Statements that were ended because two waited for each other. */
  deadlocks = 0

  private constructor(lines: Line[], control: pg.Client) {
    this.#lines = lines
    this.#free = [...lines]
    this.#control = control
  }

  static async connect(url: string): Promise<SimPostgres> {
    const open = async (): Promise<pg.Client> => {
      const client = new pg.Client({ connectionString: url })
      client.on('error', () => {})
      await client.connect()
      return client
    }
    const control = await open()
    await control.query(CLOCK)
    const lines: Line[] = []
    for (let i = 0; i < CONNECTIONS; i++) {
      const client = await open()
      await client.query(
        "set search_path = sim, pg_catalog, public; set sim.now = '0'; set plan_cache_mode = force_generic_plan",
      )
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
      lines.push({ client, pid: rows[0]?.pid ?? 0, clock: -1, open: false })
    }
    return new SimPostgres(lines, control)
  }

  /** Empties every table. */
  async reset(): Promise<void> {
    // All at once: one may wait for another's lock.
    await Promise.all(this.#lines.map(({ client }) => client.query('rollback').catch(() => {})))
    for (const line of this.#lines) Object.assign(line, { clock: -1, open: false })
    this.#free = [...this.#lines]
    await this.#control.query(
      'truncate breakwater.jobs, breakwater.job_schedules, breakwater.job_lanes, sim.ledger, sim.orders',
    )
  }

  /** Past all chances, for the judge. */
  async ask<T>(text: string, values: unknown[] = []): Promise<T[]> {
    return (await this.#control.query(text, values)).rows as T[]
  }

  async close(): Promise<void> {
    await Promise.all(
      [this.#control, ...this.#lines.map(({ client }) => client)].map((client) => client.end()),
    )
  }

  /** A database for the workers of a world. */
  database(world: World): JobsDatabase {
    world.waitsForLock = async (pid) => {
      const found = await this.ask(
        // Granted by whoever lets go, before it says so: unlike an activity, this is never behind.
        'select from pg_locks where pid = $1 and not granted limit 1',
        [pid],
      )
      return found.length > 0
    }
    const single = drizzle({ client: this.#clientFor(world, undefined) as never })
    const transaction = async <T>(fn: (tx: unknown) => Promise<T>): Promise<T> => {
      const process = world.process
      const line = await world.turn('connect', async () => this.#take())
      let over = false
      const release = (): void => {
        if (over) return
        over = true
        // The server rolls a dead worker's transaction back, sooner or later; until then its locks are held.
        void world
          .turn('the server rolls back', () => this.#run(world, line, 'rollback'), 'nobody')
          .then(() => {
            this.#free.push(line)
          })
      }
      process?.onDeath.push(release)
      const committed: (() => unknown)[] = []
      try {
        await this.#statement(world, line, 'begin', [])
        const tx = Object.assign(drizzle({ client: this.#clientFor(world, line, () => over) as never }), {
          onCommit: (tell: () => unknown) => committed.push(tell),
        })
        const value = await fn(tx)
        await this.#statement(world, line, 'commit', [])
        over = true
        this.#free.push(line)
        for (const tell of committed) void tell()
        return value
      } catch (error) {
        release()
        throw error
      }
    }
    return Object.assign(Object.create(single), {
      insert: single.insert.bind(single),
      update: single.update.bind(single),
      delete: single.delete.bind(single),
      select: single.select.bind(single),
      execute: single.execute.bind(single),
      transaction,
    }) as unknown as JobsDatabase
  }

  #take(): Line {
    // The last one used: it has planned the most statements.
    const line = this.#free.pop()
    if (line === undefined) throw new Error('too many connections')
    return line
  }

  #clientFor(world: World, line: Line | undefined, over: () => boolean = () => false) {
    return {
      query: async (config: { text: string; rowMode?: 'array'; types?: unknown }, values: unknown[]) =>
        this.#statement(world, line, config as pg.QueryConfig, values, over),
    }
  }

  async #statement(
    world: World,
    line: Line | undefined,
    query: string | pg.QueryConfig,
    values: unknown[],
    over: () => boolean = () => false,
  ): Promise<pg.QueryResult> {
    const text = typeof query === 'string' ? query : query.text
    const label = text.replace(/\s+/g, ' ').slice(0, 48)
    return world.outside('postgres', label, async () => {
      // As the drivers have it: a handler that outlived its transaction writes nothing.
      if (over()) throw new Error('This transaction is over')
      const on = line ?? this.#take()
      try {
        return await this.#run(world, on, query, values)
      } finally {
        if (line === undefined) this.#free.push(on)
      }
    })
  }

  /** A statement that each connection plans once. */
  #named(query: pg.QueryConfig): pg.QueryConfig {
    const name = this.#names.get(query.text) ?? `s${this.#names.size}`
    this.#names.set(query.text, name)
    return { ...query, name }
  }

  /** Runs a statement until it has ended; others have their turns while it waits for a lock. */
  async #run(
    world: World,
    line: Line,
    query: string | pg.QueryConfig,
    values: unknown[] = [],
  ): Promise<pg.QueryResult> {
    world.session = line.pid
    const text = typeof query === 'string' ? query : query.text
    // In a transaction, `now()` stands still.
    if (!line.open && line.clock !== world.now) {
      // Not awaited: the connection keeps the order.
      void line.client.query(`set sim.now = '${world.now / 1000}'`)
      line.clock = world.now
    }
    if (text === 'begin') line.open = true
    try {
      return await line.client.query(typeof query === 'string' ? query : this.#named(query), values)
    } catch (error) {
      if ((error as { code?: unknown }).code === '40P01') this.deadlocks++
      throw error
    } finally {
      if (text === 'commit' || text === 'rollback') line.open = false
    }
  }
}
