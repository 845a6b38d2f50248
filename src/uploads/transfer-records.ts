import { and, asc, eq, gt, inArray, lt, sql } from 'drizzle-orm'
import type { UploadRow, UploadsDatabase } from './records.ts'
import { uploads, uploadTransfers, uploadUsage } from './schema.ts'

/** A row of `upload_transfers`. */
export type TransferRow = typeof uploadTransfers.$inferSelect

/** An upload together with how far it has come. */
export interface Transfer {
  readonly upload: UploadRow
  readonly transfer: TransferRow
}

/** How long a writer is believed after its last sign of life. */
export const LEASE_SECONDS = 30

/** How far the bytes of a transfer have come. */
export interface Progress {
  readonly receivedBytes: number
  readonly multipartId: string | null
  readonly etags: readonly string[]
  readonly tailKey: string | null
}

function transferQuery(db: UploadsDatabase, id: string, ownerId: string) {
  return db
    .select({ upload: uploads, transfer: uploadTransfers })
    .from(uploadTransfers)
    .innerJoin(uploads, eq(uploads.id, uploadTransfers.uploadId))
    .where(and(eq(uploads.id, id), eq(uploads.ownerId, ownerId)))
    .limit(1)
}

/** An upload that takes more than one request, if the owner has it. */
export async function findTransfer(
  db: UploadsDatabase,
  id: string,
  ownerId: string,
): Promise<Transfer | undefined> {
  const [row] = await transferQuery(db, id, ownerId)
  return row
}

/** The transfer of an upload, whoever has it. */
export async function transferOf(db: UploadsDatabase, id: string): Promise<TransferRow | undefined> {
  const [row] = await db.select().from(uploadTransfers).where(eq(uploadTransfers.uploadId, id)).limit(1)
  return row
}

/** What came of a {@link claim}. */
export interface Claim {
  /** Whether the caller has the pen. */
  readonly held: boolean
  /** The transfer as it is now; undefined when the owner has none. When the pen is not held, it tells why. */
  readonly found: Transfer | undefined
}

/**
 * Takes the pen: nobody else may write until the lease is given up or runs out. One statement, which also checks that
 * the writer goes on where the last one stopped; one round trip where the driver has batches.
 */
export async function claim(
  db: UploadsDatabase,
  { id, ownerId, token, offset }: { id: string; ownerId: string; token: string; offset: number },
): Promise<Claim> {
  const statement = sql`
    with claimed as (
      update ${uploadTransfers} as t
      set lock_token = ${token}::uuid, lock_until = now() + ${LEASE_SECONDS}::int * interval '1 second'
      from ${uploads} as u
      where u.id = t.upload_id and t.upload_id = ${id}::uuid and u.owner_id = ${ownerId}::uuid
        and u.state in ('reserved', 'receiving') and t.mode = 'tus' and t.expires_at > now()
        and (t.lock_until is null or t.lock_until < now()) and t.received_bytes = ${offset}::bigint
      returning t.upload_id
    )
    update ${uploads} as u set state = 'receiving', updated_at = now() from claimed where u.id = claimed.upload_id
    returning u.id`
  const look = transferQuery(db, id, ownerId)
  const [{ rows }, [found]] =
    db.batch === undefined
      ? [await db.execute(statement), await look]
      : await db.batch([db.execute(statement), look])
  return { held: rows.length > 0, found }
}

/** Writes down how far it has come, and keeps or gives up the pen. False when somebody else has it by now. */
export async function saveProgress(
  db: UploadsDatabase,
  id: string,
  token: string,
  progress: Progress,
  keep: boolean,
): Promise<boolean> {
  const { receivedBytes, multipartId, etags, tailKey } = progress
  const { rows } = await db.execute(sql`
    with saved as (
      update ${uploadTransfers} as t
      set received_bytes = ${receivedBytes}::bigint, multipart_id = ${multipartId}::text,
        etags = ${JSON.stringify(etags)}::jsonb, tail_key = ${tailKey}::text,
        lock_token = case when ${keep}::boolean then lock_token end,
        lock_until = case when ${keep}::boolean then now() + ${LEASE_SECONDS}::int * interval '1 second' end
      from ${uploads} as u
      where u.id = t.upload_id and t.upload_id = ${id}::uuid and t.lock_token = ${token}::uuid and u.state = 'receiving'
      returning t.upload_id
    )
    update ${uploads} as u set updated_at = now() from saved where u.id = saved.upload_id returning u.id`)
  return rows.length > 0
}

/** Keeps the pen a while longer. False when somebody else has it by now. */
export async function renewLease(db: UploadsDatabase, id: string, token: string): Promise<boolean> {
  const { rows } = await db.execute(sql`
    update ${uploadTransfers} set lock_until = now() + ${LEASE_SECONDS}::int * interval '1 second'
    where upload_id = ${id}::uuid and lock_token = ${token}::uuid returning upload_id`)
  return rows.length > 0
}

/** Gives the pen up without having written. */
export async function releaseLease(db: UploadsDatabase, id: string, token: string): Promise<void> {
  await db.execute(sql`
    update ${uploadTransfers} set lock_token = null, lock_until = null
    where upload_id = ${id}::uuid and lock_token = ${token}::uuid`)
}

/** The length of an upload that was begun without one, said once. Gives back what was reserved beyond it. */
export async function declareLength(
  db: UploadsDatabase,
  id: string,
  token: string,
  length: number,
): Promise<boolean> {
  const { rows } = await db.execute(sql`
    with declared as (
      update ${uploadTransfers} set length = ${length}::bigint
      where upload_id = ${id}::uuid and lock_token = ${token}::uuid and length is null
      returning upload_id
    ), old as (
      select u.id, u.owner_id, u.reserved_bytes from ${uploads} as u, declared where u.id = declared.upload_id for update of u
    ), smaller as (
      update ${uploads} as u set reserved_bytes = ${length}::bigint from old where u.id = old.id
    ), freed as (
      update ${uploadUsage} as g set reserved_bytes = g.reserved_bytes - old.reserved_bytes + ${length}::bigint
      from old where g.owner_id = old.owner_id
    )
    select id from old`)
  return rows.length > 0
}

/** Transfers whose every byte has come and of which nobody took note, oldest first. */
export async function findComplete(db: UploadsDatabase, before: Date, limit: number): Promise<Transfer[]> {
  return db
    .select({ upload: uploads, transfer: uploadTransfers })
    .from(uploads)
    .innerJoin(uploadTransfers, eq(uploads.id, uploadTransfers.uploadId))
    .where(
      and(
        inArray(uploads.state, ['reserved', 'receiving']),
        lt(uploads.updatedAt, before),
        eq(uploadTransfers.mode, 'tus'),
        gt(uploadTransfers.length, 0),
        eq(uploadTransfers.length, uploadTransfers.receivedBytes),
      ),
    )
    .orderBy(asc(uploads.updatedAt))
    .limit(limit)
}

/** Forgets transfers that are past their time and have nothing left in the bucket. */
export async function forgetTransfers(db: UploadsDatabase, limit: number): Promise<void> {
  await db.execute(sql`
    delete from ${uploadTransfers} where upload_id in (
      select t.upload_id from ${uploadTransfers} t join ${uploads} u on u.id = t.upload_id
      where t.expires_at < now()
        and (u.state in ('quarantined', 'scanned', 'published') or u.purged_at is not null)
      order by t.expires_at limit ${limit}::int
    )`)
}
