import { setTimeout as sleep } from 'node:timers/promises'
import { createDatabase, type Database, isPostgresError, PostgresError, type Queryable } from 'breakwater/db'
import { eq, sql } from 'drizzle-orm'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { everythingIn, rejection, testWork } from './support.ts'
import { letters, people, schema, TABLES } from './tables.ts'

let scratch: ScratchDatabase
let db: Database<typeof schema>

beforeAll(async () => {
  scratch = await scratchDatabase({ migrations: false })
  await scratch.pool.query(TABLES)
  db = createDatabase({ url: scratch.url, endpoint: scratch.endpoint, schema, lockTimeout: 300 })
})

beforeEach(async () => {
  await scratch.pool.query('truncate people cascade')
  await scratch.pool.query(
    "insert into people (id, email, age) values (1, 'ada@example.com', 0), (2, 'b', 0)",
  )
})

afterEach(() => scratch.standIn.faults.clear())

const ages = async (): Promise<unknown> =>
  (await scratch.pool.query('select age from people order by id')).rows.map(({ age }) => age)

async function noConnections(): Promise<void> {
  for (let n = 0; ; n++) {
    const { rows } = await scratch.pool.query(
      "select state from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'",
    )
    if (rows.length === 0) return
    expect(n).toBeLessThan(250)
    await sleep(20)
  }
}

/** A service that works in a database and in a transaction alike. */
async function birthday(queryable: Queryable<typeof schema>, id: number): Promise<number | null | undefined> {
  const [row] = await queryable
    .update(people)
    .set({ age: sql`${people.age} + 1` })
    .where(eq(people.id, id))
    .returning({ age: people.age })
  return row?.age
}

describe('a transaction', () => {
  it('commits what its function did, and gives what it returned', async () => {
    const age = await db.transaction(async (tx) => {
      await birthday(tx, 1)
      expect(await ages()).toEqual([0, 0])
      return birthday(tx, 1)
    })
    expect(age).toBe(2)
    expect(await birthday(db, 2)).toBe(1)
    expect(await ages()).toEqual([2, 1])
  })

  it('undoes everything when the function throws, and passes its error on untouched', async () => {
    const mine = new Error('mine')
    const failing = db.transaction(async (tx) => {
      await birthday(tx, 1)
      throw mine
    })
    expect(await rejection(failing)).toBe(mine)
    expect(await ages()).toEqual([0, 0])
    await noConnections()
  })

  it('gives typed errors without values, and queries with relations and counts', async () => {
    const error = await rejection(
      db.transaction(async (tx) => {
        expect(await tx.query.people.findMany({ with: { letters: true } })).toHaveLength(2)
        expect(await tx.$count(people)).toBe(2)
        const [all, none] = await tx.batch([tx.select().from(people), tx.select().from(letters)])
        expect([all.length, none.length]).toEqual([2, 0])
        await tx.insert(people).values({ id: 3, email: 'ada@example.com' })
      }),
    )
    expect(isPostgresError(error, 'unique-violation', 'people_email_key')).toBe(true)
    expect(everythingIn(error)).not.toContain('ada@example.com')
  })

  it('undoes only the inner one when a transaction inside it fails', async () => {
    await db.transaction(async (tx) => {
      await birthday(tx, 1)
      const inner = tx.transaction(async (within) => {
        await birthday(within, 2)
        await within.transaction(async (deepest) => birthday(deepest, 2))
        await within.insert(people).values({ id: 1, email: 'twice' })
      })
      expect(await rejection(inner)).toMatchObject({ failure: 'unique-violation' })
      await birthday(tx, 1)
    })
    expect(await ages()).toEqual([2, 0])
  })

  it('takes statements that were not awaited one after another', async () => {
    await db.transaction(async (tx) => {
      await Promise.all(Array.from({ length: 20 }, () => birthday(tx, 1)))
    })
    expect(await ages()).toEqual([20, 0])
  })

  it('keeps to isolation level, access mode and limits, which end with it', async () => {
    const settings = sql`select current_setting('transaction_isolation') as isolation,
      current_setting('transaction_read_only') as read_only, current_setting('transaction_deferrable') as deferrable,
      current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
      current_setting('idle_in_transaction_session_timeout') as idle`
    const { rows } = await db.transaction((tx) => tx.execute(settings), {
      isolation: 'serializable',
      readOnly: true,
      deferrable: true,
    })
    expect(rows[0]).toMatchObject({
      isolation: 'serializable',
      read_only: 'on',
      deferrable: 'on',
      lock: '300ms',
      idle: '15s',
    })
    const inWork = await testWork(4000).run(() => db.transaction((tx) => tx.execute(settings)))
    const shown = String(inWork.rows[0]?.['statement'])
    expect(shown).toMatch(/^[1-4](\d{3}ms|s)$/)
    expect(await rejection(db.transaction((tx) => birthday(tx, 1), { readOnly: true }))).toMatchObject({
      sqlState: '25006',
    })
  })

  it('cannot be used once it is over', async () => {
    let kept: Queryable<typeof schema> | undefined
    await db.transaction(async (tx) => {
      kept = tx
    })
    const error = await rejection(Promise.resolve(kept?.select().from(people)))
    expect(everythingIn(error)).toContain('This transaction is over')
  })
})

describe('its WebSocket', () => {
  it('lives for one transaction, and is closed behind the answer’s back', async () => {
    const { spans, waiting, run } = testWork()
    const before = scratch.standIn.stats().webSockets
    await run(() => db.transaction((tx) => birthday(tx, 1)))
    const after = scratch.standIn.stats().webSockets
    expect(after.connections - before.connections).toBe(1)
    expect(waiting).toHaveLength(1)
    await waiting[0]
    expect(spans.map(({ op, name }) => `${op} ${name.split(' ')[0]}`)).toEqual([
      'db.connect websocket',
      'db.query begin',
      'db.query update',
      'db.query commit',
    ])
    // Start-up, password and BEGIN with its settings travel together: begin, update, commit.
    expect(after.roundTrips - before.roundTrips).toBeLessThanOrEqual(4)
  })

  it('does not outlive a caller who goes away', async () => {
    const { abort, run } = testWork()
    const asleep = run(() =>
      db.transaction(async (tx) => {
        await birthday(tx, 1)
        setTimeout(abort, 50)
        await tx.execute(sql`select pg_sleep(30)`)
      }),
    )
    expect(await rejection(asleep)).toMatchObject({ failure: 'timeout' })
    expect(await ages()).toEqual([0, 0])
    await noConnections()
  })

  it('tells certain failure from doubt when it breaks', async () => {
    // Before the commit nothing can have happened.
    const early = db.transaction(async (tx) => {
      await birthday(tx, 1)
      scratch.standIn.faults.set([{ drop: 'before', contains: 'pg_sleep', times: 1 }])
      await tx.execute(sql`select pg_sleep(0)`)
    })
    expect(await rejection(early)).toMatchObject({ failure: 'unavailable' })
    expect(await ages()).toEqual([0, 0])
    // While committing nobody knows; here it did happen.
    const late = db.transaction(async (tx) => {
      await birthday(tx, 1)
      scratch.standIn.faults.set([{ drop: 'after', contains: 'commit', times: 1 }])
    })
    expect(await rejection(late)).toMatchObject({ failure: 'outcome-unknown' })
    expect(await ages()).toEqual([1, 0])
  })

  it('is tried once more when it cannot be opened, and then it is an outage', async () => {
    scratch.standIn.faults.set([{ match: '/v2', drop: 'before', times: 1 }])
    expect(await db.transaction((tx) => birthday(tx, 1))).toBe(1)
    scratch.standIn.faults.set([{ match: '/v2', drop: 'before' }])
    expect(await rejection(db.transaction((tx) => birthday(tx, 1)))).toMatchObject({ failure: 'unavailable' })
    const wrong = createDatabase({
      url: scratch.url.replace(/:[^:@]+@/, ':wrong@'),
      endpoint: scratch.endpoint,
    })
    scratch.standIn.faults.clear()
    expect(await rejection(wrong.transaction(async () => 1))).toMatchObject({ failure: 'unavailable' })
  })

  it('that hangs ends with the deadline', async () => {
    scratch.standIn.faults.set([{ match: '/v2', hang: true }])
    const started = Date.now()
    const hanging = testWork(200).run(() => db.transaction((tx) => birthday(tx, 1)))
    expect(await rejection(hanging)).toBeInstanceOf(PostgresError)
    expect(Date.now() - started).toBeLessThan(5000)
  })
})

describe('transactions that get into each other’s way', () => {
  const raise = (retry: boolean | number | undefined, runs: { n: number }, pause: () => Promise<unknown>) =>
    db.transaction(
      async (tx) => {
        runs.n++
        const [row] = await tx.select().from(people).where(eq(people.id, 1))
        if (runs.n === 1) await pause()
        await tx
          .update(people)
          .set({ age: (row?.age ?? 0) + 1 })
          .where(eq(people.id, 1))
      },
      { isolation: 'serializable', ...(retry !== undefined && { retry }) },
    )

  it('fail with a serialization failure when nobody said that they may run again', async () => {
    const runs = { n: 0 }
    const outcome = rejection(raise(undefined, runs, () => birthday(db, 1)))
    expect(await outcome).toMatchObject({ failure: 'serialization-failure', status: 409 })
    expect(runs.n).toBe(1)
  })

  it('run again when somebody did, as often as was said', async () => {
    const results = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const runs = { n: 0 }
        await raise(20, runs, () => sleep(20))
        return runs.n
      }),
    )
    expect(await ages()).toEqual([6, 0])
    expect(Math.max(...results)).toBeGreaterThan(1)
  })

  it('end a deadlock, and both get through when they may run again', async () => {
    // A second passes before Postgres looks for a deadlock, more than the lock timeout of the others here.
    const patient = createDatabase({
      url: scratch.url,
      endpoint: scratch.endpoint,
      schema,
      lockTimeout: '10 s',
    })
    const deadlocking = (first: number, second: number) =>
      patient.transaction(
        async (tx) => {
          await birthday(tx, first)
          await sleep(60)
          await birthday(tx, second)
        },
        { retry: 5 },
      )
    await Promise.all([deadlocking(1, 2), deadlocking(2, 1)])
    expect(await ages()).toEqual([2, 2])
  })

  it('do not wait for a lock longer than the limit', async () => {
    const holder = await scratch.pool.connect()
    try {
      await holder.query('begin; select * from people where id = 1 for update')
      expect(await rejection(db.transaction((tx) => birthday(tx, 1)))).toMatchObject({
        failure: 'timeout',
        sqlState: '55P03',
      })
    } finally {
      await holder.query('rollback')
      holder.release()
    }
  })
})
