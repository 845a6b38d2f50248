import { bigint, doublePrecision, index, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'
import { breakwater } from '../db/schema.ts'

/**
 * What statements and tables came to, hour by hour. Postgres only counts up, and forgets when it restarts; each row has
 * what happened in its hour, and where the counters stood at the last look.
 */
export const queryHistory = breakwater.table(
  'query_history',
  {
    kind: text({ enum: ['statement', 'table'] }).notNull(),
    /** Postgres's id of the statement, or the table's name. */
    key: text().notNull(),
    /** The hour, by its beginning. */
    takenAt: timestamp('taken_at', { withTimezone: true }).notNull(),
    /** The statement, without values. */
    text: text(),
    /** How often it ran, or how often the table was read from end to end. */
    calls: bigint({ mode: 'number' }).notNull(),
    milliseconds: doublePrecision().notNull(),
    /** Rows of the statement; of a table, how many it has. */
    rows: bigint({ mode: 'number' }).notNull(),
    /** Where Postgres's own counters stood. */
    callsSoFar: bigint('calls_so_far', { mode: 'number' }).notNull(),
    millisecondsSoFar: doublePrecision('milliseconds_so_far').notNull(),
    rowsSoFar: bigint('rows_so_far', { mode: 'number' }).notNull(),
    /** The last look. */
    seenAt: timestamp('seen_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.kind, t.key, t.takenAt] }),
    index('query_history_taken_at_idx').on(t.kind, t.takenAt),
  ],
)
