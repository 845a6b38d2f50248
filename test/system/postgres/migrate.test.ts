import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate as drizzleMigrate } from 'drizzle-orm/node-postgres/migrator'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { migrate } from '../../../src/local/postgres/index.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'

let folder = ''
let scratch: ScratchDatabase

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'breakwater-migrations-'))
  mkdirSync(join(folder, 'meta'))
  scratch = await scratchDatabase({ migrations: false })
})

afterEach(async () => {
  rmSync(folder, { recursive: true, force: true })
  await scratch.drop()
})

/** What drizzle-kit writes. */
function write(...migrations: readonly string[]): void {
  const entries = migrations.map((text, idx) => {
    const tag = `000${idx}_step`
    writeFileSync(join(folder, `${tag}.sql`), text)
    return { idx, version: '7', when: 1_700_000_000_000 + idx, tag, breakpoints: true }
  })
  writeFileSync(
    join(folder, 'meta', '_journal.json'),
    JSON.stringify({ version: '7', dialect: 'postgresql', entries }),
  )
}

const ONE = 'create table one (id int);\n--> statement-breakpoint\ninsert into one values (1);'
const TWO = 'alter table one add column name text;'

it('applies what is missing, in order, and nothing twice', async () => {
  const said: string[] = []
  const log = (line: string) => said.push(line)
  write(ONE)
  expect(await migrate({ url: scratch.url, folder, log })).toEqual({ applied: 1, total: 1 })
  expect(await migrate({ url: scratch.url, folder, log })).toEqual({ applied: 0, total: 1 })
  write(ONE, TWO)
  expect(await migrate({ url: scratch.url, folder, log })).toEqual({ applied: 1, total: 2 })
  expect((await scratch.pool.query('select id, name from one')).rows).toEqual([{ id: 1, name: null }])
  expect(said).toHaveLength(3)
})

it('shares its journal with Drizzle’s own migrator', async () => {
  write(ONE)
  await drizzleMigrate(drizzle(scratch.pool), { migrationsFolder: folder })
  expect(await migrate({ url: scratch.url, folder })).toEqual({ applied: 0, total: 1 })
  write(ONE, TWO)
  await migrate({ url: scratch.url, folder })
  await drizzleMigrate(drizzle(scratch.pool), { migrationsFolder: folder })
  expect(
    (await scratch.pool.query('select count(*)::int as n from drizzle.__drizzle_migrations')).rows,
  ).toEqual([{ n: 2 }])
})

it('may be run by several at once', async () => {
  write(ONE, TWO)
  const outcomes = await Promise.all(Array.from({ length: 4 }, () => migrate({ url: scratch.url, folder })))
  expect(outcomes.map(({ applied }) => applied).sort()).toEqual([0, 0, 0, 2])
})

it('changes nothing when one of the migrations fails, and says which statement', async () => {
  write(ONE, 'alter table nowhere add column x int;')
  await expect(migrate({ url: scratch.url, folder })).rejects.toThrow(
    /rolled back: relation "nowhere" does not exist/,
  )
  expect((await scratch.pool.query("select to_regclass('one') as there")).rows).toEqual([{ there: null }])
  write(ONE, TWO)
  expect(await migrate({ url: scratch.url, folder })).toEqual({ applied: 2, total: 2 })
})

it('does not queue everyone behind a table that is locked', async () => {
  write(ONE)
  await migrate({ url: scratch.url, folder })
  write(ONE, TWO)
  const holder = await scratch.pool.connect()
  try {
    await holder.query('begin; select * from one')
    await expect(migrate({ url: scratch.url, folder, lockTimeout: 100 })).rejects.toThrow(/holds a lock/)
  } finally {
    await holder.query('rollback')
    holder.release()
  }
  expect(await migrate({ url: scratch.url, folder, lockTimeout: 100 })).toEqual({ applied: 1, total: 2 })
})

it('does not wait for ever for another that hangs', async () => {
  write(ONE)
  const holder = await scratch.pool.connect()
  try {
    await holder.query('select pg_advisory_lock($1)', [8_027_431_190_664_213n])
    await expect(migrate({ url: scratch.url, folder, patience: 100 })).rejects.toThrow(
      /under way and does not end/,
    )
  } finally {
    await holder.query('select pg_advisory_unlock_all()')
    holder.release()
  }
})

it('says so when the folder holds no migrations', async () => {
  await expect(migrate({ url: scratch.url, folder: join(folder, 'meta') })).rejects.toThrow(
    /holds no migrations/,
  )
})

it('applies the migrations of the project', async () => {
  cpSync(join(import.meta.dirname, '../../../drizzle'), folder, { recursive: true })
  const { applied } = await migrate({ url: scratch.url, folder })
  expect(applied).toBeGreaterThan(0)
  const { rows } = await scratch.pool.query(
    "select count(*)::int as n from information_schema.tables where table_schema = 'breakwater'",
  )
  expect(rows[0].n).toBeGreaterThan(0)
})

it('builds an index without stopping writes, and goes on where it was cut short', async () => {
  await scratch.pool.query('create table two (a int); insert into two values (1), (1)')
  write(
    ONE,
    `alter table two add column b int;
--> statement-breakpoint
-- unique, once the doubles are gone
create unique index concurrently two_a on two (a);
--> statement-breakpoint
alter table two add column c int;`,
  )
  const said: string[] = []
  const log = (line: string) => said.push(line)
  await expect(migrate({ url: scratch.url, folder, log })).rejects.toThrow(/run it again to go on/)
  const { rows } = await scratch.pool.query(
    `select indisvalid from pg_index where indexrelid = 'two_a'::regclass`,
  )
  expect(rows).toEqual([{ indisvalid: false }])

  await scratch.pool.query('delete from two')
  said.length = 0
  expect(await migrate({ url: scratch.url, folder, log })).toEqual({ applied: 1, total: 2 })
  expect(said.join('\n')).toMatch(
    /1\/3 was done before[\s\S]*drops two_a, which was left half built[\s\S]*3\/3 done/,
  )
  const valid = await scratch.pool.query(
    `select indisvalid from pg_index where indexrelid = 'two_a'::regclass`,
  )
  expect(valid.rows).toEqual([{ indisvalid: true }])
  expect(await migrate({ url: scratch.url, folder })).toEqual({ applied: 0, total: 2 })
})
