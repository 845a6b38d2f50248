import { sql } from 'drizzle-orm'
import { bigint, check, index, integer, jsonb, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
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
    /** The SHA-256 the client announced, where the bytes came by a way that is hashed only afterwards. */
    announcedSha256: text('announced_sha256'),
    /** R2's name for exactly these stored bytes: what replaces them later is not served. */
    version: text(),
    width: integer(),
    height: integer(),
    /** Why it was rejected: a word, not a sentence. */
    reason: text(),
    /** Signed addresses carry it; a step revokes all that were given out. */
    linkEpoch: integer('link_epoch').notNull().default(0),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
    publishedAt: timestamp('published_at', { withTimezone: true }),
    /** When the object of a rejected or deleted upload was seen to be gone. */
    purgedAt: timestamp('purged_at', { withTimezone: true }),
  },
  (t) => [
    // "My uploads", newest first.
    index('uploads_owner_idx').on(t.ownerId, t.id),
    // The sweep of the bucket goes through keys in the bucket's own order.
    uniqueIndex('uploads_key_idx').on(sql`${t.key} collate "C"`),
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
      sql`${t.state} not in ('scanned', 'published') or (${t.size} is not null and ${t.sha256} is not null and ${t.type} is not null)`,
    ),
  ],
)

/** Ways in that take more than one request. */
export const TRANSFER_MODES: readonly ['tus', 'put', 'multipart'] = ['tus', 'put', 'multipart']

/** How far an upload has come that takes more than one request. Kept until it expires, for clients that ask again. */
export const uploadTransfers = breakwater.table(
  'upload_transfers',
  {
    uploadId: uuid('upload_id')
      .primaryKey()
      .references(() => uploads.id, { onDelete: 'cascade' }),
    /** `tus`: resumable through the worker; `put`, `multipart`: straight to the bucket. */
    mode: text({ enum: TRANSFER_MODES as unknown as [string, ...string[]] }).notNull(),
    /** Bytes in all; null while the client has not said. */
    length: bigint({ mode: 'number' }),
    /** `Upload-Metadata` as it came. Personal data: never logged. */
    metadata: text(),
    /** Bytes that are safe: a client may forget them. */
    receivedBytes: bigint('received_bytes', { mode: 'number' }).notNull().default(0),
    /** Bytes of each part but the last. */
    partBytes: integer('part_bytes').notNull(),
    /** R2's name of the multipart upload, once there is one. */
    multipartId: text('multipart_id'),
    /** Entity tags of the parts, in their order: the binding cannot list them. */
    etags: jsonb().$type<readonly string[]>().notNull().default([]),
    /** Where the bytes are that do not fill a part yet. */
    tailKey: text('tail_key'),
    /** Who is writing, and until when that is believed. */
    lockToken: uuid('lock_token'),
    lockUntil: timestamp('lock_until', { withTimezone: true }),
    expiresAt: timestamp('expires_at', { withTimezone: true }).notNull(),
  },
  (t) => [
    index('upload_transfers_expires_idx').on(t.expiresAt),
    // Whose bytes an object of the bucket is.
    index('upload_transfers_tail_idx').on(t.tailKey).where(sql`${t.tailKey} is not null`),
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
