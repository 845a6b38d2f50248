import type { CriticalQuery } from '../../db/index.ts'
import type { CheckTitle, Finding } from '../finding.ts'
import type { SchemaModel } from '../model.ts'
import { mismatchedForeignKeys, unindexedForeignKeys } from './foreign-keys.ts'
import { missingPrimaryKeys, redundantIndexes, smallKeys } from './indexes.ts'
import { unservedQueries } from './queries.ts'

/** The checks that need no database. */
export const schemaCheckTitles: readonly CheckTitle[] = [
  { id: 'DB-1', level: 'error', title: 'Every foreign key has an index that begins with its columns' },
  { id: 'DB-2', level: 'error', title: 'Every table has a primary key' },
  { id: 'DB-3', level: 'warn', title: 'No index is covered by another' },
  { id: 'DB-11', level: 'warn', title: 'No sequence can run out: keys are 64 bits wide, or UUIDs' },
  { id: 'DB-25', level: 'error', title: 'Every declared query has an index for its WHERE and ORDER BY' },
  { id: 'DB-27', level: 'error', title: 'Every foreign key has the type of what it refers to' },
]

/**
 * Looks over a schema: Drizzle's tables by `modelOf`, migrations by `modelOfSnapshot`, or a live database by
 * `modelOfCatalog`.
 *
 * @param queries Declared queries whose WHERE and ORDER BY must begin an index. Default: none.
 */
export function checkSchema(model: SchemaModel, queries: readonly CriticalQuery[] = []): Finding[] {
  return [
    ...unindexedForeignKeys(model),
    ...missingPrimaryKeys(model),
    ...redundantIndexes(model),
    ...smallKeys(model),
    ...unservedQueries(model, queries),
    ...mismatchedForeignKeys(model),
  ]
}
