import type pg from 'pg'
import { type Examined, examineQueries, ownQueries } from '../../src/testing/index.ts'
import { median } from '../support/statistics.ts'

/** A statement of a query of the SDK, measured over several rounds with other rows each. */
export interface Measured {
  readonly name: string
  readonly statement: string
  /** Milliseconds, of each size. */
  readonly p50: readonly number[]
  /** At the largest size. */
  readonly plan: string
  /** Faults of its plan there, in words. */
  readonly faults: readonly string[]
}

interface Seen {
  readonly name: string
  readonly statement: string
  readonly times: number[][]
  last: Examined | undefined
  readonly faults: Set<string>
}

/** What has been undone leaves dead entries in indexes, which production's autovacuum would have removed. */
async function tidy(client: pg.ClientBase): Promise<void> {
  await client.query('select pg_stat_force_next_flush()')
  const { rows } = await client.query(
    `select relid::regclass as name from pg_stat_user_tables where schemaname = 'breakwater' and n_dead_tup > 500`,
  )
  for (const { name } of rows) await client.query(`vacuum (index_cleanup on) ${name}`)
}

/**
 * The median time of every statement of every query, at each size; the server's own figure, so that no client is in it.
 * Each is run three times, of which the shortest counts: with the rows in memory, as those are that are in use. The
 * sizes take turns, so that whatever else the machine does is in all of them alike.
 */
export async function measure(clients: readonly pg.Client[], rounds: number): Promise<Measured[]> {
  const seen = new Map<string, Seen>()
  for (let round = 0; round < rounds; round++) {
    for (const [at, client] of clients.entries()) {
      if (round % 4 === 0) await tidy(client)
      for (const one of await examineQueries({ client, queries: ownQueries, seed: round, runs: 3 })) {
        const key = `${one.name}\n${one.statement}`
        const { name, statement } = one
        const entry: Seen =
          seen.get(key) ??
          ({ name, statement, times: clients.map(() => []), last: undefined, faults: new Set() } as Seen)
        seen.set(key, entry)
        entry.times[at]?.push(one.milliseconds ?? 0)
        if (at < clients.length - 1) continue
        entry.last = one
        for (const { message } of one.faults) entry.faults.add(message)
      }
    }
  }
  // What only some of the people do who are found has too few times for a median; others' flows have it too.
  return [...seen.values()]
    .filter(({ times }) => times.every((list) => list.length >= rounds / 2))
    .map(({ name, statement, times, last, faults }) => ({
      name,
      statement,
      p50: times.map((list) => median(list)),
      plan: last?.plan ?? '',
      faults: [...faults],
    }))
}
