import { examineQueries, fill, ownColumns, ownQueries, ownSchema, requireGoodPlans } from 'breakwater/testing'
import type pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { breakwater } from '../../../src/db/schema.ts'
import { scratchDatabase } from '../support/postgres.ts'
import { createTables } from './tables.ts'

const ROWS = 20_000
let client: pg.PoolClient

beforeAll(async () => {
  const scratch = await scratchDatabase({ migrations: false })
  await createTables(scratch.pool, { breakwater, ...ownSchema })
  client = await scratch.pool.connect()
  await fill({ client, schema: ownSchema, rows: ROWS, columns: ownColumns })
})

afterAll(() => client.release())

it('answers every query of the SDK from an index', async () => {
  const examined = await requireGoodPlans({ client, queries: ownQueries })
  expect(examined.length).toBeGreaterThan(40)
  expect(new Set(examined.map(({ name }) => name)).size).toBe(ownQueries.length)
})

it('declares what accounts, jobs, uploads and the history do, each flow to its end', () => {
  const names = ownQueries.map(({ name }) => name)
  for (const name of ['auth.refresh', 'auth.second-factor', 'auth.passkey', 'auth.api-key', 'auth.openid'])
    expect(names).toContain(name)
  for (const name of ['jobs.batch', 'jobs.tick', 'jobs.lane', 'uploads.receive-in-parts', 'queries.snapshot'])
    expect(names).toContain(name)
})

it.each([
  ['sessions_user_id_idx', 'sessions', 'auth.sessions'],
  ['verification_tokens_user_id_idx', 'verification_tokens', 'auth.disable-user'],
  ['sessions_expires_at_idx', 'sessions', 'auth.prune'],
  ['api_keys_ended_at_idx', 'api_keys', 'auth.prune'],
  ['identities_user_id_idx', 'identities', 'auth.openid'],
  ['jobs_unsent_idx', 'jobs', 'jobs.relay'],
  ['jobs_batch_idx', 'jobs', 'jobs.list-batch'],
  ['uploads_unfinished_idx', 'uploads', 'uploads.sweep-unfinished'],
])('tells when %s is gone', async (index, table, name) => {
  const [made] = (await client.query(`select pg_get_indexdef($1::regclass) as made`, [`breakwater.${index}`]))
    .rows
  await client.query(`drop index breakwater.${index}`)
  try {
    const examined = await examineQueries({ client, queries: ownQueries.filter((one) => one.name === name) })
    const faults = examined.flatMap((one) => one.faults)
    expect(faults.map(({ message }) => message).join('\n')).toMatch(
      new RegExp(`of ${table}\\b|on ${table}\\b`),
    )
  } finally {
    await client.query(made.made)
  }
})
