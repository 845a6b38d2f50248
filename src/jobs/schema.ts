import { sql } from 'drizzle-orm'
import { check, index, integer, jsonb, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { breakwater } from '../db/schema.ts'

/**
 * One row a job: what is to be done, how far it is, and, while it waits, when its message is to be sent. The row is
 * the truth; messages only say "look at this row", so that losing, doubling or delaying one changes nothing.
 */
export const jobs = breakwater.table(
  'jobs',
  {
    /** UUID version 7, made by the application; the idempotency key of effects outside of the database. */
    id: uuid().primaryKey(),
    type: text().notNull(),
    version: integer().notNull(),
    /** What the job was given. May hold personal data: never logged. */
    input: jsonb().notNull(),
    /** At most one job of a type has a key. */
    key: text(),
    state: text({ enum: ['pending', 'running', 'done', 'dead', 'cancelled', 'discarded'] }).notNull(),
    /** Not to be started earlier. */
    runAt: timestamp('run_at', { withTimezone: true }).notNull(),
    /** How often it was started. */
    attempt: integer().notNull().default(0),
    maxAttempts: integer('max_attempts').notNull(),
    /** How long a worker may hold it, in milliseconds. */
    leaseMs: integer('lease_ms').notNull(),
    /** The fence: only who holds this token can finish the job. */
    leaseToken: uuid('lease_token'),
    leaseUntil: timestamp('lease_until', { withTimezone: true }),
    /** When the relay sends a message, unless the job has started by then. */
    sendAfter: timestamp('send_after', { withTimezone: true }).notNull(),
    /** How often the relay has sent one since the job last became ready. */
    sends: integer().notNull().default(0),
    /** W3C `traceparent` of the work that made it. */
    traceparent: text(),
    /** Why the last attempt failed: the error's name, or a word of ours such as `unknown-type`. */
    failure: text(),
    /** What it said, redacted and cut. */
    failureDetail: text('failure_detail'),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    startedAt: timestamp('started_at', { withTimezone: true }),
    finishedAt: timestamp('finished_at', { withTimezone: true }),
  },
  (t) => [
    uniqueIndex('jobs_type_key_unique').on(t.type, t.key).where(sql`${t.key} is not null`),
    // The relay: what waits for a message.
    index('jobs_unsent_idx').on(t.sendAfter).where(sql`${t.state} = 'pending'`),
    // The sweep: leases that ran out, and what is old enough to go.
    index('jobs_leased_idx').on(t.leaseUntil).where(sql`${t.state} = 'running'`),
    index('jobs_finished_idx').on(t.finishedAt).where(sql`${t.finishedAt} is not null`),
    // Lists by state, newest first.
    index('jobs_state_idx').on(t.state, t.id),
    check(
      'jobs_state_known',
      sql`${t.state} in ('pending', 'running', 'done', 'dead', 'cancelled', 'discarded')`,
    ),
    check(
      'jobs_running_is_leased',
      sql`(${t.state} = 'running') = (${t.leaseToken} is not null and ${t.leaseUntil} is not null)`,
    ),
    check('jobs_finished_has_time', sql`(${t.state} in ('pending', 'running')) = (${t.finishedAt} is null)`),
  ],
)

/** A row of {@link jobs}. */
export type JobRow = typeof jobs.$inferSelect

/** Where a job is in its life. */
export type JobState = JobRow['state']
