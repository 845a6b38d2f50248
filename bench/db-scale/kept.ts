import { createHash } from 'node:crypto'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { getTableName } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
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
async function databaseOf(postgres: LocalPostgres, name: string): Promise<() => Promise<pg.Client>> {
  const admin = new pg.Client({ connectionString: postgres.superuserUrl })
  await admin.connect()
  const { rowCount } = await admin.query('select from pg_database where datname = $1', [name])
  if (rowCount === 0) await admin.query(`create database ${name} owner "${new URL(postgres.url).username}"`)
  await admin.end()
  const url = new URL(postgres.url)
  url.pathname = `/${name}`
  return async () => {
    const client = new pg.Client({ connectionString: url.href })
    client.on('error', () => {})
    await client.connect()
    return client
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)

/** A table, what makes it, and a sum over that and its rows' SQL. */
interface Recipe {
  readonly name: string
  readonly create: string
  readonly indexes: readonly Definition[]
  readonly sum: string
}

function recipeOf(table: PgTable, all: readonly Definition[], rows: number): Recipe {
  const name = getTableName(table)
  const mine = all.filter((one) => one.table === name)
  const create = mine.find(({ sql }) => sql.startsWith('CREATE TABLE'))?.sql ?? ''
  const sum = hash(create + insertOf(planTable(table, () => rows, ownColumns[name])))
  return { name, create, indexes: mine.filter(({ index }) => index !== undefined), sum }
}

/** Makes and fills one table that is not there. */
async function makeTable(
  client: pg.Client,
  { name, create, sum }: Recipe,
  rows: number,
  log: (line: string) => void,
): Promise<void> {
  await client.query(create)
  await fill({ client, schema: ownSchema, rows, columns: ownColumns, only: [name], log })
  await client.query('insert into public.filled (name, recipe) values ($1, $2)', [name, sum])
}

// Most of it is computing the rows; a table is filled by one process of the server.
const LINES = 2

/**
 * A database with so many rows in each of the SDK's tables. What an earlier run has filled is kept, table by table,
 * while the table's definition and the way its rows are made are the same; indexes are made and dropped as they change.
 */
export async function filledDatabase(
  postgres: LocalPostgres,
  rows: number,
  say: (line: string) => void,
): Promise<pg.Client> {
  const connect = await databaseOf(postgres, `rows_${rows}`)
  const client = await connect()
  const all = await definitions()
  await client.query('create schema if not exists breakwater')
  await client.query(
    'create table if not exists public.filled (name text primary key, recipe text not null, at timestamptz not null default now())',
  )
  const { rows: known } = await client.query(
    `select name, recipe from public.filled where at > now() - ${FRESH}`,
  )
  const recipes = tablesOf(ownSchema).map((table) => recipeOf(table, all, rows))
  const { rows: there } = await client.query(
    `select relname as name from pg_class where relkind = 'r' and relnamespace = 'breakwater'::regnamespace`,
  )
  const right = (name: string): boolean =>
    known.some((one) => one.name === name && recipes.some((r) => r.name === name && r.sum === one.recipe))
  for (const { name } of there) {
    if (right(name)) continue
    await client.query('delete from public.filled where name = $1', [name])
    await client.query(`drop table breakwater.${name} cascade`)
  }
  const left = [...recipes]
  const line = async (): Promise<void> => {
    const mine = await connect()
    for (let recipe = left.shift(); recipe !== undefined; recipe = left.shift()) {
      if (!right(recipe.name)) await makeTable(mine, recipe, rows, say)
      await sameIndexes(mine, recipe, say)
    }
    await mine.end()
  }
  await Promise.all(Array.from({ length: LINES }, line))
  for (const { sql } of all.filter((one) => one.sql.includes('FOREIGN KEY'))) {
    const [, key = ''] = /CONSTRAINT "(\w+)"/.exec(sql) ?? []
    const { rowCount } = await client.query('select from pg_constraint where conname = $1', [key])
    if (rowCount === 0) await client.query(sql)
  }
  return client
}

/** Makes the indexes of a table what the schema says. */
async function sameIndexes(
  client: pg.Client,
  { name: table, indexes: wanted }: Recipe,
  say: (line: string) => void,
): Promise<void> {
  const { rows } = await client.query(
    `select i.indexrelid::regclass::text as name, c.relname as index, obj_description(c.oid) as made
     from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = $1::regclass
       and not exists (select from pg_constraint k where k.conindid = i.indexrelid)`,
    [`breakwater.${table}`],
  )
  const indexes = [...wanted]
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
