import type { Context, Env } from 'hono'
import { BreakwaterError, isBreakwaterError } from '../core/errors.ts'
import { uuidv7 } from '../core/ids.ts'
import { quotaExceeded } from './errors.ts'
import type { ResolvedOptions } from './options.ts'
import { type Received, receive } from './receive.ts'
import { endStatement, receivedStatement, reserveStatement } from './records.ts'
import { readRequest } from './request.ts'
import type { UploadView } from './view.ts'

/** The job that processes an upload. */
export const PROCESS_JOB = 'upload.process'

/**
 * Takes one upload in: room is set aside in one statement, the bytes are streamed, and one transaction makes it
 * `quarantined` and puts its processing on the queue. When anything goes wrong on the way, the room is given back and
 * the bucket is as it was.
 */
export async function createUpload<E extends Env>(
  c: Context<E>,
  ownerId: string,
  options: ResolvedOptions<E>,
): Promise<UploadView> {
  const name = c.req.query('kind') ?? ''
  const kind = options.kinds.get(name)
  if (kind === undefined) {
    throw new BreakwaterError('validation-failed', {
      status: 422,
      fields: [{ pointer: '?kind', detail: `must be one of ${[...options.kinds.keys()].join(', ')}` }],
    })
  }
  const bucket = options.bucket(c)
  const requested = await readRequest(c.req.raw, kind, options.stallMs)
  const { incoming } = requested
  const id = uuidv7()
  const key = `${options.prefix}${name}/${id}`
  const reserved = await options.db.execute(
    reserveStatement(
      {
        id,
        ownerId,
        kind: name,
        key,
        originalName: requested.name,
        declaredType: incoming.declaredType,
        bytes: requested.atMost,
      },
      await options.quota(c, ownerId),
    ),
  )
  if (reserved.rows.length === 0) {
    await incoming.source.cancel()
    throw quotaExceeded()
  }

  let received: Received
  try {
    received = await receive(incoming, {
      bucket,
      key,
      maxBytes: kind.maxBytes,
      types: kind.types,
      stallMs: options.stallMs,
    })
  } catch (error) {
    // Should this fail too, the sweep finds the row.
    const reason = isBreakwaterError(error) ? error.code : 'internal'
    await options.db.execute(endStatement(id, 'rejected', { reason })).catch(() => {})
    throw error
  }
  await settle(id, received, options)
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

async function settle<E extends Env>(
  id: string,
  received: Received,
  { db, enqueue }: ResolvedOptions<E>,
): Promise<void> {
  if (enqueue === undefined) {
    const { rows } = await db.execute(receivedStatement(id, received))
    if (rows.length === 0) throw swept()
    return
  }
  await db.transaction(async (tx) => {
    const { rows } = await tx.execute(receivedStatement(id, received))
    if (rows.length === 0) throw swept()
    await enqueue(PROCESS_JOB, { id }, { tx, key: `${PROCESS_JOB}:${id}` })
  })
}

/** The sweep took it for dead; its object is removed with the next one. */
function swept(): BreakwaterError {
  return new BreakwaterError('deadline-exceeded', {
    status: 408,
    detail: 'The upload took too long and was given up.',
  })
}
