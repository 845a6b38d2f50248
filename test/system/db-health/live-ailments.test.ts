import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkDatabase, type Finding, type RunSql } from 'breakwater/db-health'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type LocalPostgres, startPostgres } from '../../../src/local/index.ts'

// A server of its own: some of these ailments are the whole server's.
const SETTINGS = {
  max_connections: '20',
  shared_buffers: '1MB',
  autovacuum: 'off',
  allow_system_table_mods: 'on',
}

let root: string
let server: LocalPostgres
const open: pg.Client[] = []

async function connect(beside?: pg.Client): Promise<pg.Client> {
  const url = new URL(server.superuserUrl)
  if (beside !== undefined) url.pathname = `/${beside.database}`
  const client = new pg.Client({ connectionString: url.href })
  client.on('error', () => {})
  await client.connect()
  open.push(client)
  return client
}

let databases = 0

async function database(): Promise<pg.Client> {
  const name = `ailing_${++databases}`
  await open[0]?.query(`create database ${name}`)
  return connect({ database: name } as pg.Client)
}

async function close(...clients: readonly pg.Client[]): Promise<void> {
  for (const client of clients) {
    open.splice(open.indexOf(client), 1)
    await client.end()
  }
}

const look = (client: pg.Client): Promise<Finding[]> => {
  const run: RunSql = async (text) => (await client.query(text)).rows
  return checkDatabase(run)
}

const about = (found: readonly Finding[], id: string): string[] =>
  found.filter((one) => one.id === id).map((one) => one.message)

/** The server's own view, with its clock turned back: nobody waits half an hour for a test. */
const turnBack = (
  client: pg.Client,
  view: string,
  columns: readonly string[],
  by: string,
): Promise<unknown> =>
  client.query(`create schema if not exists past;
    create view past.${view} as select ${columns.map((column) => `${column} - interval '${by}' as ${column}`).join(', ')},
      ${others[view]} from pg_catalog.${view};
    set search_path = past, public, pg_catalog`)

const others: Readonly<Record<string, string>> = {
  pg_stat_activity: 'pid, datname, usename, state, backend_type',
  pg_stat_database: 'datname',
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'breakwater-ailments-'))
  server = await startPostgres({ dataDir: root, durable: false, settings: SETTINGS })
  await connect()
})
afterEach(async () => close(...open.slice(1)))
afterAll(async () => {
  await close(...open)
  await server.stop()
  rmSync(root, { recursive: true, force: true })
})

it('has nothing to say of these in a healthy database', async () => {
  const client = await database()
  await client.query('create table t (id int primary key)')
  await client.query('insert into t select generate_series(1, 20000)')
  await client.query('vacuum analyze t')
  const found = await look(client)
  for (const id of ['4', '6', '12', '13', '14', '16', '17', '18', '19', '22', '28'])
    expect(about(found, `DB-${id}`)).toEqual([])
})

describe('tables and indexes', () => {
  let found: readonly Finding[]
  beforeAll(async () => {
    const client = await database()
    await client.query(`create table notes (id int primary key, note text);
      insert into notes select n, repeat(md5(n::text), 6) from generate_series(1, 100000) n;
      create index notes_note on notes (note);
      create index notes_unused on notes (id, note);
      create table old (id int primary key);
      update pg_class set relfrozenxid = ((txid_current() - 1100000000 + 4294967296) % 4294967296)::text::xid
        where oid = 'old'::regclass`)
    await client.query('delete from notes where id % 10 > 0')
    await client.query('select pg_stat_force_next_flush()')
    await client.query('vacuum notes')
    await client.query('analyze notes')
    await client.query(`create table churned (id int primary key);
      insert into churned select generate_series(1, 40000)`)
    await client.query('update churned set id = -id where id <= 30000')
    for (let scan = 0; scan < 150; scan++)
      await client.query('select count(*) from notes where length(note) = 0')
    await client.query('select pg_stat_force_next_flush()')
    await turnBack(client, 'pg_stat_database', ['stats_reset'], '0 days')
    await client.query(`create or replace view past.pg_stat_database as
      select now() - interval '20 days' as stats_reset, datname from pg_catalog.pg_stat_database`)
    found = await look(client)
  })

  it.each([
    ['DB-4', 'notes_unused (', 'was not used for two weeks'],
    ['DB-12', 'old is 11', 'at 2 billion writing stops'],
    ['DB-13', '% of churned', 'are dead rows'],
    ['DB-14', 'notes_note takes', 'would do'],
    ['DB-16', 'Only ', 'of what is read was in memory'],
  ])('%s says so', (id, begin, end) => {
    const said = about(found, id).find((one) => one.startsWith(begin) || one.includes(begin))
    expect(said ?? '').toContain(end)
  })

  it('leaves alone what is used, however small it became', () => {
    expect(about(found, 'DB-4').join()).not.toContain('notes_pkey')
    expect(about(found, 'DB-13').join()).not.toContain('notes')
  })
})

describe('sessions', () => {
  it('DB-17 counts connections before there are none left', async () => {
    const client = await database()
    const crowd: pg.Client[] = []
    for (let n = 0; n < 13; n++) crowd.push(await connect(client))
    // With these two, fifteen, and one of the server's own while it looks.
    expect(about(await look(client), 'DB-17')).toEqual([])
    crowd.push(await connect(client), await connect(client))
    expect(about(await look(client), 'DB-17')).toEqual(['17 of 20 connections are taken'])
  })

  it('DB-18 and DB-19 name who idles in a transaction, and who runs on and on', async () => {
    const client = await database()
    const [idle, busy, fine] = [await connect(client), await connect(client), await connect(client)]
    const pidOf = async (one: pg.Client): Promise<number> =>
      (await one.query('select pg_backend_pid() as pid')).rows[0].pid
    const [idlePid, busyPid, finePid] = [await pidOf(idle), await pidOf(busy), await pidOf(fine)]
    await idle.query('begin; select 1')
    const running = busy.query('select pg_sleep(20)').catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 100))
    const before = await look(client)
    expect([...about(before, 'DB-18'), ...about(before, 'DB-19')]).toEqual([])

    await turnBack(client, 'pg_stat_activity', ['state_change', 'query_start'], '2 minutes')
    const found = await look(client)
    expect(about(found, 'DB-18').join()).toMatch(
      new RegExp(`^Session ${idlePid} idles in a transaction for 12\\d s$`),
    )
    expect(about(found, 'DB-19').join()).toMatch(
      new RegExp(`^Session ${busyPid} runs one statement for 12\\d s$`),
    )
    expect(found.map((one) => one.message).join()).not.toContain(`Session ${finePid} `)
    // The hint ends it.
    await client.query(found.find((one) => one.id === 'DB-19')?.hint ?? '')
    await running
  })
})

describe('statements and extensions', () => {
  it('DB-6 names a statement that is often run and slow', async () => {
    const client = await database()
    const crowd = await Promise.all(Array.from({ length: 10 }, () => connect(client)))
    await Promise.all(crowd.map((one) => one.query('select pg_sleep(0.25) as nap')))
    expect(about(await look(client), 'DB-6').join()).toMatch(
      /^\d+ ms on average: select pg_sleep\(\?\) as nap$/,
    )
  })

  it('DB-22 misses pg_stat_statements, and its hint installs it', async () => {
    const client = await database()
    await client.query('drop extension pg_stat_statements')
    const found = (await look(client)).find((one) => one.id === 'DB-22')
    expect(found?.message).toBe('pg_stat_statements is not installed')
    await client.query(found?.hint ?? '')
    expect(about(await look(client), 'DB-22')).toEqual([])
  })

  it('DB-28 names an extension older than the server’s, and its hint brings it up to date', async () => {
    const client = await database()
    await client.query(
      `drop extension pg_stat_statements; create extension pg_stat_statements version '1.10'`,
    )
    const found = (await look(client)).find((one) => one.id === 'DB-28')
    expect(found?.message).toMatch(/^Extension pg_stat_statements is 1\.10, the server brings 1\.\d+$/)
    await client.query(found?.hint ?? '')
    expect(about(await look(client), 'DB-28')).toEqual([])
  })
})
