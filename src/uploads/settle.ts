import type { Env } from 'hono'
import { BreakwaterError } from '../core/errors.ts'
import type { ResolvedOptions } from './options.ts'
import { endStatement, receivedStatement } from './records.ts'

/** The job that processes an upload. */
export const PROCESS_JOB = 'upload.process'

/** What is known of bytes that are all there. */
export interface Settled {
  readonly type?: string
  readonly size: number
  readonly sha256?: string
}

type Statement = Parameters<NonNullable<ResolvedOptions<Env>['db']['batch']>>[0][0]

/**
 * Makes an upload whose every byte is stored `quarantined` and puts its processing on the queue: both or neither, in
 * one round trip where database and queue allow it. False when the upload had been given up meanwhile.
 */
export async function settle<E extends Env>(
  id: string,
  received: Settled,
  { db, enqueue }: ResolvedOptions<E>,
): Promise<boolean> {
  if (enqueue === undefined) {
    const { rows } = await db.execute(receivedStatement(id, received))
    return rows.length > 0
  }
  const key = `${PROCESS_JOB}:${id}`
  if (enqueue.prepare !== undefined && db.batch !== undefined) {
    const job = await enqueue.prepare(PROCESS_JOB, { id }, { key })
    // Should the upload be gone, its job finds that out and does nothing.
    const [moved] = await db.batch([db.execute(receivedStatement(id, received)), job.statement as Statement])
    await job.send()
    return moved.rows.length > 0
  }
  return db.transaction(async (tx) => {
    const { rows } = await tx.execute(receivedStatement(id, received))
    if (rows.length > 0) await enqueue(PROCESS_JOB, { id }, { tx, key })
    return rows.length > 0
  })
}

/**
 * Deletes an upload and puts the removal of its bytes on the queue: both or neither. Resolves with its key; undefined
 * when the owner has no such upload.
 */
export async function endWithJob<E extends Env>(
  id: string,
  ownerId: string,
  { db, enqueue }: ResolvedOptions<E>,
): Promise<string | undefined> {
  const statement = endStatement(id, 'deleted', { ownerId })
  const key = `${PROCESS_JOB}:${id}:deleted`
  const keyOf = (rows: readonly Record<string, unknown>[]): string | undefined => {
    const found = rows[0]?.['key']
    return typeof found === 'string' ? found : undefined
  }
  if (enqueue === undefined) return keyOf((await db.execute(statement)).rows)
  // No batch: it would make a job for whatever id a stranger names.
  return db.transaction(async (tx) => {
    const found = keyOf((await tx.execute(statement)).rows)
    if (found !== undefined) await enqueue(PROCESS_JOB, { id }, { tx, key })
    return found
  })
}

/** The sweep took it for dead; its object is removed with the next one. */
export function swept(): BreakwaterError {
  return new BreakwaterError('deadline-exceeded', {
    status: 408,
    detail: 'The upload took too long and was given up.',
  })
}
