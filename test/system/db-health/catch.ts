import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { sql } from 'drizzle-orm'
import type pg from 'pg'
import {
  checkSchema,
  findDrift,
  lintMigrations,
  liveChecks,
  modelOf,
  modelOfCatalog,
  type RunSql,
} from '../../../src/db-health/index.ts'
import { examineQueries, fill } from '../../../src/testing/index.ts'
import { badMigrations } from './fixtures/bad-migrations.ts'
import { badPlans, badQueries, goodQueries, orders } from './fixtures/bad-queries.ts'
import { badSchemas } from './fixtures/bad-schemas.ts'
import { goodSchemas } from './fixtures/good-schemas.ts'

/** What became of one fixture. */
export interface Caught {
  readonly name: string
  readonly expected: string
  readonly found: readonly string[]
}

/** The bad ones that need no server. */
export function catchWithoutDatabase(): Caught[] {
  const model = modelOf({ orders })
  return [
    ...badSchemas.map(({ name, id, schema }) => ({
      name,
      expected: id,
      found: checkSchema(modelOf(schema)).map((one) => one.id),
    })),
    ...badQueries.map(({ name, query }) => ({
      name,
      expected: `DB-25 ${name}`,
      found: checkSchema(model, [{ name, source: query }]).map(
        (one) => `${one.id} ${one.message.split(' ')[0]}`,
      ),
    })),
    ...badMigrations.map(({ rule, sql: text }) => ({
      name: text,
      expected: rule,
      found: lintMigrations([{ name: '0001.sql', sql: text }]).map((one) => one.rule),
    })),
  ]
}

/** Statements with bad plans, on a filled table. */
export async function catchPlans(client: pg.ClientBase): Promise<Caught[]> {
  for (const statement of await ddlOf({ orders })) await client.query(statement)
  await fill({ client, schema: { orders }, rows: 20_000 })
  const caught: Caught[] = []
  for (const { name, kind, sql: text } of badPlans) {
    const [examined] = await examineQueries({ client, queries: [{ name, source: sql.raw(text) }] })
    caught.push({ name, expected: kind, found: examined?.faults.map((fault) => fault.kind) ?? [] })
  }
  return caught
}

/** The SQL of a schema, as its first migration has it. */
async function ddlOf(schema: Readonly<Record<string, unknown>>): Promise<string[]> {
  return generateMigration(generateDrizzleJson({}), generateDrizzleJson({ ...schema }))
}

/** What is said, wrongly, of the well made ones; each in a database of its own. */
export async function falseAlarms(fresh: () => Promise<pg.Pool>): Promise<string[]> {
  const alarms: string[] = checkSchema(
    modelOf({ orders }),
    goodQueries.map(({ name, query }) => ({ name, source: query })),
  ).map((one) => one.message)
  for (const { name, schema } of goodSchemas) {
    const pool = await fresh()
    const run: RunSql = async (text) => (await pool.query(text)).rows
    const ddl = await ddlOf(schema)
    await pool.query(ddl.join('\n'))
    const declared = modelOf(schema)
    const live = await modelOfCatalog(run)
    const tables = liveChecks.filter(({ id }) =>
      ['DB-5', 'DB-9', 'DB-10', 'DB-11', 'DB-13', 'DB-14', 'DB-15'].includes(id),
    )
    const found = [
      ...checkSchema(declared),
      ...checkSchema(live),
      ...findDrift(declared, live),
      ...lintMigrations([{ name: '0000.sql', sql: ddl.join('\n') }]),
      ...(await Promise.all(tables.map((check) => check.run(run)))).flat(),
    ]
    alarms.push(...found.map(({ id, message }) => `${name}: ${id} ${message}`))
  }
  return alarms
}
