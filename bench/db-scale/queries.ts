import type pg from 'pg'
import { type Examined, examineQueries, ownQueries } from '../../src/testing/index.ts'
import { median } from '../support/statistics.ts'

/** A statement of a query of the SDK, measured over several rounds with other rows each. */
export interface Measured {
  readonly name: string
  /** Which of the query's statements. */
  readonly step: number
  readonly p50: number
  readonly plan: string
  readonly sequentialScans: number
}

/** The median time of every statement of every query; the server's own figure, so that no client is in it. */
export async function measure(client: pg.ClientBase, rounds: number): Promise<Measured[]> {
  const seen = new Map<string, { times: number[]; last: Examined; step: number }>()
  for (let round = 0; round < rounds; round++) {
    const steps = new Map<string, number>()
    for (const one of await examineQueries({ client, queries: ownQueries })) {
      const step = (steps.get(one.name) ?? 0) + 1
      steps.set(one.name, step)
      const key = `${one.name} ${step}`
      const entry = seen.get(key) ?? { times: [], last: one, step }
      seen.set(key, entry)
      // The first round finds cold caches.
      if (round > 0) entry.times.push(one.milliseconds ?? 0)
      entry.last = one
    }
  }
  return [...seen.values()]
    .filter(({ times }) => times.length > 0)
    .map(({ times, last, step }) => ({
      name: last.name,
      step,
      p50: median(times),
      plan: last.plan,
      sequentialScans: last.faults.filter(({ kind }) => kind === 'sequential-scan').length,
    }))
}
