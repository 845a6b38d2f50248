import { sql } from 'drizzle-orm'
import { bigint, check, index, integer, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { breakwater } from '../db/schema.ts'
import { UPLOAD_STATES } from './state.ts'

/**
 * One row an upload, made before its first byte comes and kept after its object is gone.
 * `owner_id` has no foreign key: who owns is the application's to say.
 */
export const uploads = breakwater.table(
  'uploads',
  {
    /** UUID version 7, made by the application. */
    id: uuid().primaryKey(),
    ownerId: uuid('owner_id').notNull(),
    /** One of the kinds declared in the application. */
    kind: text().notNull(),
    state: text({ enum: UPLOAD_STATES as [string, ...string[]] }).notNull(),
    /** Where the bytes are in the bucket. Never used twice. */
    key: text().notNull(),
    /** What the client called the file, cleaned. Personal data: never logged. */
    originalName: text('original_name').notNull(),
    /** What the client said the type is. */
    declaredType: text('declared_type'),
    /** What the bytes say the type is. */
    type: text(),
    /** Bytes set aside before the size was known. */
    reservedBytes: bigint('reserved_bytes', { mode: 'number' }).notNull(),
    /** Bytes received. */
    size: bigint({ mode: 'number' }),
    /** SHA-256 of the bytes, 64 hexadecimal digits. */
    sha256: text(),
    width: integer(),
    height: integer(),
    /** Why it was rejected: a word, not a sentence. */
    reason: text(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
    publishedAt: timestamp('published_at', { withTimezone: true }),
    /** When the object of a rejected or deleted upload was seen to be gone. */
    purgedAt: timestamp('purged_at', { withTimezone: true }),
  },
  (t) => [
    // "My uploads", newest first.
    index('uploads_owner_idx').on(t.ownerId, t.id),
    // The sweep: what has not moved for too long, and what is still to be removed from the bucket.
    index('uploads_unfinished_idx')
      .on(t.updatedAt)
      .where(sql`${t.state} in ('reserved', 'receiving', 'quarantined', 'scanned')`),
    index('uploads_unpurged_idx')
      .on(t.updatedAt)
      .where(sql`${t.state} in ('rejected', 'deleted') and ${t.purgedAt} is null`),
    check(
      'uploads_state_known',
      sql`${t.state} in ('reserved', 'receiving', 'quarantined', 'scanned', 'published', 'rejected', 'deleted')`,
    ),
    check(
      'uploads_stored_is_measured',
      sql`${t.state} not in ('quarantined', 'scanned', 'published') or (${t.size} is not null and ${t.sha256} is not null and ${t.type} is not null)`,
    ),
  ],
)

/** What each owner uses. One row an owner, so that a reservation is one conditional update. */
export const uploadUsage = breakwater.table(
  'upload_usage',
  {
    ownerId: uuid('owner_id').primaryKey(),
    /** Bytes set aside for uploads on their way. */
    reservedBytes: bigint('reserved_bytes', { mode: 'number' }).notNull().default(0),
    /** Bytes stored. */
    storedBytes: bigint('stored_bytes', { mode: 'number' }).notNull().default(0),
    /** Uploads on their way or stored. */
    files: integer().notNull().default(0),
  },
  (t) => [
    check(
      'upload_usage_never_negative',
      sql`${t.reservedBytes} >= 0 and ${t.storedBytes} >= 0 and ${t.files} >= 0`,
    ),
  ],
)
