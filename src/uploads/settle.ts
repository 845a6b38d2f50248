import type { SQL } from 'drizzle-orm'
import type { Env } from 'hono'
import { BreakwaterError } from '../core/errors.ts'
import type { ResolvedOptions } from './options.ts'
import { didNothing, endStatement, receivedStatement } from './records.ts'

/** The job that processes an upload. */
export const PROCESS_JOB = 'upload.process'

/** What is known of bytes that are all there. */
export interface Settled {
  readonly type?: string
  readonly size: number
  readonly sha256?: string
}

type Statement = Parameters<NonNullable<ResolvedOptions<Env>['db']['batch']>>[0][0]

/** A statement that did what it should, committed together with its job. */
export interface Committed {
  readonly row: Readonly<Record<string, unknown>>
  /** Starts the job now rather than when it is next looked for. Never fails. */
  start(): Promise<void>
}

/** Whether {@link commitWithJob} takes one round trip: no lock is then held while anybody waits for the network. */
export function commitsAtOnce<E extends Env>({
  db,
  enqueue,
}: Pick<ResolvedOptions<E>, 'db' | 'enqueue'>): boolean {
  return enqueue === undefined || (enqueue.prepare !== undefined && db.batch !== undefined)
}

/**
 * Runs a statement and puts the upload's job on the queue: both or neither, in one round trip where database and queue
 * allow it. Undefined when the statement did nothing; then there is no job either.
 *
 * @param statement Makes the statement; with true, one that fails when it would do nothing.
 */
export async function commitWithJob<E extends Env>(
  id: string,
  statement: (must: boolean) => SQL,
  { db, enqueue }: Pick<ResolvedOptions<E>, 'db' | 'enqueue'>,
  key = `${PROCESS_JOB}:${id}`,
): Promise<Committed | undefined> {
  const committed = (row: Committed['row'] | undefined, start = async (): Promise<void> => {}) =>
    row && { row, start }
  if (enqueue === undefined) return committed((await db.execute(statement(false))).rows[0])
  if (enqueue.prepare === undefined || db.batch === undefined) {
    return db.transaction(async (tx) => {
      const { rows } = await tx.execute(statement(false))
      if (rows[0] !== undefined) await enqueue(PROCESS_JOB, { id }, { tx, key })
      return committed(rows[0])
    })
  }
  const job = await enqueue.prepare(PROCESS_JOB, { id }, { key })
  try {
    const [done] = await db.batch([db.execute(statement(true)), job.statement as Statement])
    return committed(done.rows[0], () => job.send())
  } catch (error) {
    if (didNothing(error)) return undefined
    throw error
  }
}

/**
 * Makes an upload whose every byte is stored `quarantined` and puts its processing on the queue. False when the upload
 * had been given up meanwhile.
 */
export async function settle<E extends Env>(
  id: string,
  received: Settled,
  options: ResolvedOptions<E>,
): Promise<boolean> {
  const moved = await commitWithJob(id, (must) => receivedStatement(id, received, must), options)
  await moved?.start()
  return moved !== undefined
}

/**
 * Deletes an upload and puts the removal of its bytes on the queue. Resolves with its key; undefined when the owner has
 * no such upload.
 */
export async function endWithJob<E extends Env>(
  id: string,
  ownerId: string,
  options: ResolvedOptions<E>,
): Promise<string | undefined> {
  const statement = (must: boolean): SQL => endStatement(id, 'deleted', { ownerId }, must)
  const ended = await commitWithJob(id, statement, options, `${PROCESS_JOB}:${id}:deleted`)
  await ended?.start()
  const key = ended?.row['key']
  return typeof key === 'string' ? key : undefined
}

/** The sweep took it for dead; its object is removed with the next one. */
export function swept(): BreakwaterError {
  return new BreakwaterError('deadline-exceeded', {
    status: 408,
    detail: 'The upload took too long and was given up.',
  })
}
