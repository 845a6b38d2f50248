import type { Context, Env } from 'hono'
import { isBreakwaterError } from '../core/errors.ts'
import { uuidv7 } from '../core/ids.ts'
import { quotaExceeded } from './errors.ts'
import { kindOf, type ResolvedOptions } from './options.ts'
import { type Received, receive } from './receive.ts'
import { endStatement, reserveStatement } from './records.ts'
import { readRequest } from './request.ts'
import { settle, swept } from './settle.ts'
import type { UploadView } from './view.ts'

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
  const { name, kind } = kindOf(c.req.query('kind'), '?kind', options)
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
  if (!(await settle(id, received, options))) throw swept()
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
