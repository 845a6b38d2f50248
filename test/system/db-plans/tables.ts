import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import type pg from 'pg'

/** Makes the tables of a Drizzle schema in an empty database, as its first migration would. */
export async function createTables(pool: pg.Pool, schema: Readonly<Record<string, unknown>>): Promise<void> {
  const statements = await generateMigration(generateDrizzleJson({}), generateDrizzleJson({ ...schema }))
  await pool.query(statements.join('\n'))
}
