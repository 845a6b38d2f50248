import type { Context, Env } from 'hono'
import { isBreakwaterError } from '../core/errors.ts'
import { uuidv7 } from '../core/ids.ts'
import { quotaExceeded } from './errors.ts'
import { kindOf, type ResolvedKind, type ResolvedOptions } from './options.ts'
import { type Received, type ReceiveOptions, receive } from './receive.ts'
import { endStatement, type NewUpload, reserveStatement, type UploadQuota } from './records.ts'
import { type RequestedUpload, readRequest } from './request.ts'
import { commitsAtOnce, commitWithJob, settle, swept } from './settle.ts'
import type { UploadView } from './view.ts'
import { storeWhole, WHOLE_BYTES, wholeSink } from './whole.ts'

interface Creation<E extends Env> {
  readonly upload: NewUpload
  readonly requested: RequestedUpload
  readonly kind: ResolvedKind
  readonly quota: UploadQuota
  readonly bucket: R2Bucket
  readonly options: ResolvedOptions<E>
}

/**
 * Takes one upload in. When anything goes wrong on the way, the room is given back and the bucket is as it was.
 */
export async function createUpload<E extends Env>(
  c: Context<E>,
  ownerId: string,
  options: ResolvedOptions<E>,
): Promise<UploadView> {
  const { name, kind } = kindOf(c.req.query('kind'), '?kind', options)
  const requested = await readRequest(c.req.raw, kind, options.stallMs)
  const id = uuidv7()
  const upload: NewUpload = {
    id,
    ownerId,
    kind: name,
    key: `${options.prefix}${name}/${id}`,
    originalName: requested.name,
    declaredType: requested.incoming.declaredType,
    bytes: requested.atMost,
  }
  const quota = await options.quota(c, ownerId)
  const creation = { upload, requested, kind, quota, bucket: options.bucket(c), options }
  const whole = requested.atMost <= WHOLE_BYTES && commitsAtOnce(options)
  const received = await (whole ? takeWhole(creation) : takeStream(creation))
  return {
    id,
    kind: name,
    state: 'quarantined',
    name: requested.name,
    ...received,
    width: null,
    height: null,
    reason: null,
    createdAt: new Date().toISOString(),
  }
}

/**
 * A small one: judged in memory, then room, row and job in one commit, then stored. Whoever dies between leaves a row
 * whose job finds no object and rejects it.
 */
async function takeWhole<E extends Env>(creation: Creation<E>): Promise<Received> {
  const { upload, requested, quota, bucket, options } = creation
  const sink = wholeSink()
  const received = await receive(requested.incoming, { ...receiving(creation), sink })
  const measured = { ...upload, bytes: received.size, received }
  const made = await commitWithJob(upload.id, (must) => reserveStatement(measured, quota, must), options)
  if (made === undefined) throw quotaExceeded()
  try {
    await storeWhole(bucket, upload.key, sink.bytes, received)
  } catch (error) {
    await reject(creation, error)
    throw error
  }
  await made.start()
  return received
}

/**
 * A large one: room is set aside in one statement, the bytes are streamed, and one transaction makes it `quarantined`
 * and puts its processing on the queue.
 */
async function takeStream<E extends Env>(creation: Creation<E>): Promise<Received> {
  const { upload, requested, quota, options } = creation
  const { incoming } = requested
  const reserved = await options.db.execute(reserveStatement(upload, quota))
  if (reserved.rows.length === 0) {
    await incoming.source.cancel()
    throw quotaExceeded()
  }
  let received: Received
  try {
    received = await receive(incoming, receiving(creation))
  } catch (error) {
    await reject(creation, error)
    throw error
  }
  if (!(await settle(upload.id, received, options))) throw swept()
  return received
}

function receiving<E extends Env>({ upload, kind, bucket, options }: Creation<E>): ReceiveOptions {
  const { maxBytes, types } = kind
  return { bucket, key: upload.key, maxBytes, types, stallMs: options.stallMs }
}

/** Should this fail too, the sweep finds the row, or its job does. */
async function reject<E extends Env>({ upload, options }: Creation<E>, error: unknown): Promise<void> {
  const reason = isBreakwaterError(error) ? error.code : 'internal'
  await options.db.execute(endStatement(upload.id, 'rejected', { reason })).catch(() => {})
}
