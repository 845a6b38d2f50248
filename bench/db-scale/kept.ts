import { createHash } from 'node:crypto'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { getTableName } from 'drizzle-orm'
import pg from 'pg'
import { breakwater } from '../../src/db/schema.ts'
import type { LocalPostgres } from '../../src/local/index.ts'
import { insertOf } from '../../src/testing/fill.ts'
import { fill, ownColumns, ownSchema } from '../../src/testing/index.ts'
import { planTable, tablesOf } from '../../src/testing/rows.ts'

/** What is due when it is filled, and what is not yet, stays so for some days only. */
const FRESH = `interval '60 hours'`

interface Definition {
  readonly table: string
  readonly index: string | undefined
  readonly sql: string
}

const NAME = /"breakwater"\."(\w+)"/

/** The statements that make the tables, each with the table it is about. */
async function definitions(): Promise<Definition[]> {
  const made = await generateMigration(
    generateDrizzleJson({}),
    generateDrizzleJson({ breakwater, ...ownSchema }),
  )
  return made.map((sql) => ({
    sql,
    table: NAME.exec(sql)?.[1] ?? '',
    index: /INDEX "(\w+)"/.exec(sql)?.[1],
  }))
}

/** A connection to the database of one size, which is made when there is none. */
async function databaseOf(postgres: LocalPostgres, name: string): Promise<pg.Client> {
  const admin = new pg.Client({ connectionString: postgres.superuserUrl })
  await admin.connect()
  const { rowCount } = await admin.query('select from pg_database where datname = $1', [name])
  if (rowCount === 0) await admin.query(`create database ${name} owner "${new URL(postgres.url).username}"`)
  await admin.end()
  const url = new URL(postgres.url)
  url.pathname = `/${name}`
  const client = new pg.Client({ connectionString: url.href })
  client.on('error', () => {})
  await client.connect()
  return client
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)

/**
 * A database with so many rows in each of the SDK's tables. What an earlier run has filled is kept, table by table,
 * while the table's definition and the way its rows are made are the same; indexes are made and dropped as they change.
 */
export async function filledDatabase(
  postgres: LocalPostgres,
  rows: number,
  say: (line: string) => void,
): Promise<pg.Client> {
  const client = await databaseOf(postgres, `rows_${rows}`)
  const all = await definitions()
  await client.query('create schema if not exists breakwater')
  await client.query(
    'create table if not exists public.filled (name text primary key, recipe text not null, at timestamptz not null default now())',
  )
  const { rows: known } = await client.query(`select name, recipe from public.filled where at > now() - ${FRESH}`)
  const recipes = new Map(known.map(({ name, recipe }) => [name as string, recipe as string]))
  const tables = tablesOf(ownSchema)

  const { rows: there } = await client.query(
    `select relname as name from pg_class where relkind = 'r' and relnamespace = 'breakwater'::regnamespace`,
  )
  for (const { name } of there) {
    if (tables.some((table) => getTableName(table) === name)) continue
    await client.query(`drop table breakwater.${name} cascade`)
    await client.query('delete from public.filled where name = $1', [name])
  }
  for (const table of tables) {
    const name = getTableName(table)
    const mine = all.filter((one) => one.table === name)
    const create = mine.find(({ sql }) => sql.startsWith('CREATE TABLE'))?.sql ?? ''
    const recipe = hash(create + insertOf(planTable(table, () => rows, ownColumns[name])))
    if (recipes.get(name) !== recipe) {
      await client.query('delete from public.filled where name = $1', [name])
      await client.query(`drop table if exists breakwater.${name} cascade; ${create}`)
      await fill({ client, schema: ownSchema, rows, columns: ownColumns, only: [name], log: say })
      await client.query('insert into public.filled (name, recipe) values ($1, $2)', [name, recipe])
    }
    await sameIndexes(client, name, mine, say)
  }
  for (const { sql } of all.filter((one) => one.sql.includes('FOREIGN KEY'))) {
    const [, key = ''] = /CONSTRAINT "(\w+)"/.exec(sql) ?? []
    const { rowCount } = await client.query('select from pg_constraint where conname = $1', [key])
    if (rowCount === 0) await client.query(sql)
  }
  await client.query('checkpoint').catch(() => {})
  return client
}

/** Makes the indexes of a table what the schema says. */
async function sameIndexes(
  client: pg.Client,
  table: string,
  wanted: readonly Definition[],
  say: (line: string) => void,
): Promise<void> {
  const { rows } = await client.query(
    `select i.indexrelid::regclass::text as name, c.relname as index, obj_description(c.oid) as made
     from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = $1::regclass
       and not exists (select from pg_constraint k where k.conindid = i.indexrelid)`,
    [`breakwater.${table}`],
  )
  const indexes = wanted.filter(({ index }) => index !== undefined)
  for (const { name, index, made } of rows) {
    const same = indexes.some((one) => one.index === index && hash(one.sql) === made)
    if (!same) await client.query(`drop index ${name}`)
    else
      indexes.splice(
        indexes.findIndex((one) => one.index === index),
        1,
      )
  }
  await client.query(`set maintenance_work_mem = '512MB'`)
  for (const { sql, index } of indexes) {
    const began = performance.now()
    await client.query(sql)
    await client.query(`comment on index breakwater."${index}" is '${hash(sql)}'`)
    say(`index ${index} in ${((performance.now() - began) / 1000).toFixed(1)} s`)
  }
  if (indexes.length > 0) await client.query(`vacuum (analyze) breakwater."${table}"`)
}
