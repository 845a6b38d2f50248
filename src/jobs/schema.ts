import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  smallint,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
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
    /** Where the input lies in the object store, when it was too large for a row. */
    inputObject: text('input_object'),
    /** At most one job of a type has a key. */
    key: text(),
    /** At most one job of a type that has not started has it. */
    debounce: text(),
    state: text({ enum: ['pending', 'running', 'done', 'dead', 'cancelled', 'discarded'] }).notNull(),
    /** Higher first, where several wait. */
    priority: smallint().notNull().default(0),
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
    /** What its steps returned, by name. */
    steps: jsonb(),
    /** How far it is, in the handler's own words. */
    progress: jsonb(),
    /** The job that starts when every job of the same batch has ended. */
    batchId: uuid('batch_id'),
    /** Whether its batch still waits for it. */
    batchOpen: boolean('batch_open').notNull().default(false),
    /** How many jobs of its batch this one waits for. */
    waitsFor: integer('waits_for').notNull().default(0),
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
    uniqueIndex('jobs_type_debounce_unique').on(t.type, t.debounce).where(sql`${t.debounce} is not null`),
    // The relay: what waits for a message.
    index('jobs_unsent_idx').on(t.sendAfter).where(sql`${t.state} = 'pending'`),
    // The sweep: leases that ran out, and what is old enough to go.
    index('jobs_leased_idx').on(t.leaseUntil).where(sql`${t.state} = 'running'`),
    index('jobs_finished_idx').on(t.finishedAt).where(sql`${t.state} in ('done', 'cancelled', 'discarded')`),
    // Dead ones are kept longer, and would stand before all others. The second condition keeps lists off it, which
    // would have to sort what comes.
    index('jobs_dead_idx').on(t.finishedAt).where(sql`${t.state} = 'dead' and ${t.finishedAt} is not null`),
    // Lists by state, newest first; those of what is done walk the primary key.
    index('jobs_aside_idx').on(t.state, t.id).where(sql`${t.state} in ('dead', 'cancelled', 'discarded')`),
    index('jobs_batch_idx').on(t.batchId).where(sql`${t.batchId} is not null`),
    check(
      'jobs_state_known',
      sql`${t.state} in ('pending', 'running', 'done', 'dead', 'cancelled', 'discarded')`,
    ),
    check(
      'jobs_running_is_leased',
      sql`(${t.state} = 'running') = (${t.leaseToken} is not null and ${t.leaseUntil} is not null)`,
    ),
    check('jobs_finished_has_time', sql`(${t.state} in ('pending', 'running')) = (${t.finishedAt} is null)`),
    check('jobs_waits_for_some', sql`${t.waitsFor} >= 0`),
  ],
)

/** One row a schedule: the last tick that has become a job, or was passed over. */
export const jobSchedules = breakwater.table('job_schedules', {
  name: text().primaryKey(),
  lastTick: timestamp('last_tick', { withTimezone: true }).notNull(),
})

/** One row for each key under which jobs are limited: who is inside, and when the next may start. */
export const jobLanes = breakwater.table(
  'job_lanes',
  {
    /** The job's type and the key. */
    lane: text().primaryKey(),
    /** Ids of the jobs inside, each with the epoch second at which its place is free again if it says nothing. */
    holders: jsonb().notNull().default({}),
    /** The theoretical arrival time of the generic cell rate algorithm. */
    arrival: timestamp({ withTimezone: true }).notNull(),
    touchedAt: timestamp('touched_at', { withTimezone: true }).notNull(),
  },
  (t) => [index('job_lanes_touched_idx').on(t.touchedAt)],
)

/** A row of {@link jobs}. */
export type JobRow = typeof jobs.$inferSelect

/** Where a job is in its life. */
export type JobState = JobRow['state']
