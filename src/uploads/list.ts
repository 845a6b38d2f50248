import { and, desc, eq, lt, ne } from 'drizzle-orm'
import { BreakwaterError } from '../core/errors.ts'
import { UUID } from './caller.ts'
import type { UploadsDatabase } from './records.ts'
import { uploads } from './schema.ts'
import { UPLOAD_STATES, type UploadState } from './state.ts'
import { toView, type UploadView } from './view.ts'

/** One page of an owner's uploads. */
export interface UploadPage {
  /** Newest first. Deleted ones are left out. */
  readonly uploads: UploadView[]
  /** Give it as `after` for the next page; null at the end. */
  readonly next: string | null
}

/** What to list; as the query gives it. */
export interface ListQuery {
  readonly kind?: string | undefined
  readonly state?: string | undefined
  readonly after?: string | undefined
  readonly limit?: string | undefined
}

const MOST = 100

/** @throws BreakwaterError 422 when the query asks for something that cannot be. */
export async function listUploads(
  db: UploadsDatabase,
  ownerId: string,
  query: ListQuery,
): Promise<UploadPage> {
  const fault = (pointer: string, detail: string): never => {
    throw new BreakwaterError('validation-failed', { status: 422, fields: [{ pointer, detail }] })
  }
  const { kind, state, after } = query
  const limit = Number(query.limit ?? 20)
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST) fault('?limit', `must be 1 to ${MOST}`)
  if (state !== undefined && !UPLOAD_STATES.includes(state as UploadState)) fault('?state', 'is no state')
  if (after !== undefined && !UUID.test(after)) fault('?after', 'is no cursor')
  const rows = await db
    .select()
    .from(uploads)
    .where(
      and(
        eq(uploads.ownerId, ownerId),
        ne(uploads.state, 'deleted'),
        kind === undefined ? undefined : eq(uploads.kind, kind),
        state === undefined ? undefined : eq(uploads.state, state),
        after === undefined ? undefined : lt(uploads.id, after),
      ),
    )
    .orderBy(desc(uploads.id))
    .limit(limit + 1)
  const page = rows.slice(0, limit)
  return { uploads: page.map(toView), next: rows.length > limit ? (page.at(-1)?.id ?? null) : null }
}
