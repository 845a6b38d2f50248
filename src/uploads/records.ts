import { and, asc, eq, inArray, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../db/index.ts'
import { uploads, uploadTransfers, uploadUsage } from './schema.ts'
import { sourcesOf, type UploadState } from './state.ts'

/** The database, as uploads use it: a `Database` of any schema. */
export type UploadsDatabase = Pick<Database, 'select' | 'update' | 'delete' | 'execute'> & {
  /** Statements in one transaction and one round trip, where the driver has that. */
  readonly batch?: Database['batch']

  transaction<T>(fn: (tx: Pick<Database, 'execute'>) => Promise<T>): Promise<T>
}

/** A row of `uploads`. */
export type UploadRow = typeof uploads.$inferSelect

/** How much one owner may have. */
export interface UploadQuota {
  /** Bytes, stored and on their way together. */
  readonly bytes: number
  /** Uploads, stored and on their way together. Default 10,000. */
  readonly files?: number
}

/** What is known of an upload before its bytes come. */
export interface NewUpload {
  readonly id: string
  readonly ownerId: string
  readonly kind: string
  readonly key: string
  readonly originalName: string
  readonly declaredType: string | undefined
  /** Bytes to set aside. */
  readonly bytes: number
  /** The SHA-256 announced for bytes that are hashed only afterwards. */
  readonly sha256?: string | undefined
  /** For ways in that take more than one request. */
  readonly transfer?: NewTransfer
  /** Of bytes that are held and judged already: the row begins as `quarantined`. */
  readonly received?: { readonly type: string; readonly sha256: string }
}

/** What is known of such a way in. */
export interface NewTransfer {
  readonly mode: 'tus' | 'put' | 'multipart'
  readonly length: number | undefined
  readonly metadata?: string | undefined
  readonly partBytes: number
  readonly multipartId?: string
  readonly expiresAt: Date
}

function transferClause(transfer: NewTransfer | undefined): SQL {
  if (transfer === undefined) return sql``
  const { mode, length = null, metadata = null, partBytes, multipartId = null, expiresAt } = transfer
  return sql`, transfer as (
      insert into ${uploadTransfers} (upload_id, mode, length, metadata, part_bytes, multipart_id, expires_at)
      select made.id, ${mode}::text, ${length}::bigint, ${metadata}::text, ${partBytes}::int, ${multipartId}::text,
        ${expiresAt.toISOString()}::timestamptz
      from made
    )`
}

const DEFAULT_FILES = 10_000

/**
 * What a statement answers with that did one thing or nothing: a column of `from`, or no row. With `must`, nothing is
 * an error (a division by zero), so that what shares a batch with it is undone: see {@link didNothing}.
 */
function outcome(column: 'id' | 'key' | 'owner_id', from: 'made' | 'moved' | 'old', must: boolean): SQL {
  const [name, source] = [sql.raw(column), sql.raw(from)]
  if (!must) return sql`select ${name} from ${source}`
  return sql`select (select ${name} from ${source}), 1 / (select count(*) from ${source}) as hit`
}

/** Whether a batch failed because its {@link outcome} was nothing. */
export function didNothing(error: unknown): boolean {
  const { sqlState, code, cause } = (error ?? {}) as { sqlState?: unknown; code?: unknown; cause?: unknown }
  return sqlState === '22012' || code === '22012' || (cause !== undefined && didNothing(cause))
}

/**
 * Sets room aside and makes the row, in one statement. The usage row is the lock: whoever comes second sees what the
 * first has taken. No row comes back when there is no room.
 */
export function reserveStatement(upload: NewUpload, quota: UploadQuota, must = false): SQL {
  const files = quota.files ?? DEFAULT_FILES
  const { received } = upload
  const state = received ? 'quarantined' : upload.transfer ? 'reserved' : 'receiving'
  const [reserved, stored] = received ? [0, upload.bytes] : [upload.bytes, 0]
  return sql`
    with room as (
      insert into ${uploadUsage} as u (owner_id, reserved_bytes, stored_bytes, files)
      select ${upload.ownerId}::uuid, ${reserved}::bigint, ${stored}::bigint, 1
      where ${upload.bytes}::bigint <= ${quota.bytes}::bigint and ${files}::int >= 1
      on conflict (owner_id) do update
        set reserved_bytes = u.reserved_bytes + excluded.reserved_bytes,
          stored_bytes = u.stored_bytes + excluded.stored_bytes, files = u.files + 1
        where u.reserved_bytes + u.stored_bytes + ${upload.bytes}::bigint <= ${quota.bytes}::bigint
          and u.files < ${files}::int
      returning u.owner_id
    ), made as (
      insert into ${uploads}
        (id, owner_id, kind, state, key, original_name, declared_type, reserved_bytes, announced_sha256, type, size, sha256)
      select ${upload.id}::uuid, room.owner_id, ${upload.kind}::text, ${state}::text, ${upload.key}::text,
        ${upload.originalName}::text, ${upload.declaredType ?? null}::text, ${upload.bytes}::bigint,
        ${upload.sha256 ?? null}::text, ${received?.type ?? null}::text, ${received ? upload.bytes : null}::bigint,
        ${received?.sha256 ?? null}::text
      from room
      returning id
    )${transferClause(upload.transfer)}
    ${outcome('id', 'made', must)}`
}

/**
 * Every byte is there: `receiving` becomes `quarantined`, and what was reserved becomes what is stored. Type and
 * SHA-256 are left out where the bytes did not come in one piece: processing finds them.
 */
export function receivedStatement(
  id: string,
  received: { readonly type?: string; readonly size: number; readonly sha256?: string },
  must = false,
): SQL {
  return sql`
    with moved as (
      update ${uploads} set state = 'quarantined', type = ${received.type ?? null}::text, size = ${received.size}::bigint,
        sha256 = ${received.sha256 ?? null}::text, updated_at = now()
      where id = ${id}::uuid and state in ('reserved', 'receiving')
      returning owner_id, reserved_bytes, size
    ), settled as (
      update ${uploadUsage} as u
      set reserved_bytes = u.reserved_bytes - m.reserved_bytes, stored_bytes = u.stored_bytes + m.size
      from moved m where u.owner_id = m.owner_id
    )
    ${outcome('owner_id', 'moved', must)}`
}

/**
 * Ends an upload and gives its room back, once: whoever comes second finds it in no state to leave.
 * With `ownerId`, only that owner's.
 */
export function endStatement(
  id: string,
  to: 'rejected' | 'deleted',
  options: { readonly reason?: string; readonly ownerId?: string; readonly unmovedSince?: Date } = {},
  must = false,
): SQL {
  const from = sql.join(
    sourcesOf(to).map((state) => sql`${state}`),
    sql`, `,
  )
  const owner = options.ownerId === undefined ? sql`` : sql`and owner_id = ${options.ownerId}::uuid`
  const unmoved =
    options.unmovedSince === undefined
      ? sql``
      : sql`and updated_at < ${options.unmovedSince.toISOString()}::timestamptz`
  return sql`
    with old as (
      select id, owner_id, state, reserved_bytes, coalesce(size, 0) as size, key from ${uploads}
      where id = ${id}::uuid and state in (${from}) ${owner} ${unmoved}
      for update
    ), moved as (
      update ${uploads} as u
      set state = ${to}::text, reason = coalesce(${options.reason ?? null}::text, u.reason), updated_at = now()
      from old where u.id = old.id
    ), released as (
      update ${uploadUsage} as g set
        reserved_bytes = g.reserved_bytes
          - case when old.state in ('reserved', 'receiving') then old.reserved_bytes else 0 end,
        stored_bytes = g.stored_bytes
          - case when old.state in ('quarantined', 'scanned', 'published') then old.size else 0 end,
        files = g.files - case when old.state = 'rejected' then 0 else 1 end
      from old where g.owner_id = old.owner_id
    )
    ${outcome('key', 'old', must)}`
}

/** The row of an upload. */
export async function findUpload(db: UploadsDatabase, id: string): Promise<UploadRow | undefined> {
  const [row] = await db.select().from(uploads).where(eq(uploads.id, id)).limit(1)
  return row
}

/** What processing found in the stored bytes. */
export interface Findings {
  readonly type: string
  readonly sha256: string
  readonly version: string
  /** Where a copy without metadata is, and its bytes. */
  readonly key?: string
  readonly size?: number
  readonly width?: number
  readonly height?: number
}

/** `quarantined` becomes `scanned`. Does nothing when it is no longer there. */
function scannedStatement(id: string, found: Findings): SQL {
  const { type, sha256, version, key = null, size = null, width = null, height = null } = found
  return sql`
    with old as (
      select id, owner_id, size from ${uploads} where id = ${id}::uuid and state = 'quarantined' for update
    ), moved as (
      update ${uploads} as u set state = 'scanned', updated_at = now(), type = ${type}::text, sha256 = ${sha256}::text,
        version = ${version}::text, key = coalesce(${key}::text, u.key), size = coalesce(${size}::bigint, u.size),
        width = ${width}::int, height = ${height}::int
      from old where u.id = old.id
    )
    update ${uploadUsage} as g
    set stored_bytes = g.stored_bytes - old.size + coalesce(${size}::bigint, old.size)
    from old where g.owner_id = old.owner_id`
}

/**
 * `scanned` becomes `published`; with what was found, `quarantined` becomes `scanned` first: one round trip where the
 * driver has batches. Does nothing when it is no longer there. Resolves with the state it is in.
 */
export async function markPublished(
  db: UploadsDatabase,
  id: string,
  found?: Findings,
): Promise<UploadState | undefined> {
  const scanned = found && scannedStatement(id, found)
  const publish = db
    .update(uploads)
    .set({ state: 'published', publishedAt: sql`now()`, updatedAt: sql`now()` })
    .where(and(eq(uploads.id, id), eq(uploads.state, 'scanned')))
  const look = db.select({ state: uploads.state }).from(uploads).where(eq(uploads.id, id))
  let rows: { state: string }[]
  if (db.batch === undefined) {
    if (scanned) await db.execute(scanned)
    await publish
    rows = await look
  } else if (scanned) rows = (await db.batch([db.execute(scanned), publish, look]))[2]
  else rows = (await db.batch([publish, look]))[1]
  return rows[0]?.state as UploadState | undefined
}

/** The object of an ended upload is gone. */
export async function markPurged(db: UploadsDatabase, id: string): Promise<void> {
  await db
    .update(uploads)
    .set({ purgedAt: sql`now()` })
    .where(and(eq(uploads.id, id), inArray(uploads.state, ['rejected', 'deleted'])))
}

/** Uploads that have not moved since `before` and should have, oldest first. */
export async function findUnfinished(
  db: UploadsDatabase,
  states: readonly UploadState[],
  before: Date,
  limit: number,
): Promise<UploadRow[]> {
  return db
    .select()
    .from(uploads)
    .where(
      and(
        inArray(uploads.state, [...states]),
        lt(uploads.updatedAt, before),
        // Resumable and direct uploads may pause until they expire.
        sql`not exists (select from ${uploadTransfers} t where t.upload_id = ${uploads.id} and t.expires_at > now()
          and ${uploads.state} in ('reserved', 'receiving'))`,
      ),
    )
    .orderBy(asc(uploads.updatedAt))
    .limit(limit)
}

/** Ended uploads whose object may still be there. */
export async function findUnpurged(db: UploadsDatabase, before: Date, limit: number): Promise<UploadRow[]> {
  return db
    .select()
    .from(uploads)
    .where(
      and(
        or(eq(uploads.state, 'rejected'), eq(uploads.state, 'deleted')),
        isNull(uploads.purgedAt),
        lt(uploads.updatedAt, before),
      ),
    )
    .orderBy(asc(uploads.updatedAt))
    .limit(limit)
}
