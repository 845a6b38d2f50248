import { and, asc, gt, inArray, lte, sql } from 'drizzle-orm'
import type { Env } from 'hono'
import type { ProcessContext } from './process.ts'
import type { UploadsDatabase } from './records.ts'
import { uploads, uploadTransfers } from './schema.ts'
import { originOf } from './variants.ts'

/** What a look at bucket and rows side by side found. */
export interface ReconcileReport {
  /** Objects looked at. */
  readonly objects: number
  /** Objects that no row accounts for, older than the grace: removed unless it was a dry run. */
  readonly orphans: readonly string[]
  /** Uploads that should have an object and have none. Nothing is done about them but this. */
  readonly missing: readonly string[]
  /** Where to go on; undefined when the end was reached. */
  readonly cursor?: string
}

/** How {@link reconcile} works. */
export interface ReconcileOptions {
  /** Where an earlier run stopped. */
  readonly cursor?: string
  /** Goes on where the last run with this stopped, which is kept in the bucket, and begins anew after the end. */
  readonly resume?: boolean
  /** Milliseconds an object may be without a row: uploads make their row first, so that it only covers clocks. */
  readonly graceMs: number
  /** Reports and changes nothing. */
  readonly dryRun: boolean
  /** Pages of up to a thousand objects. */
  readonly pages: number
}

const PAGE = 1000
/** Where a run that is to be resumed has stopped. */
const PLACE = '.reconciled-up-to'
/** A row that has not moved for so long should have its object. */
const SETTLED_MS = 300_000

/** What rows say of the keys of one page: those that account for an object, and those that need one. */
export async function rowsBetween(
  db: UploadsDatabase,
  prefix: string,
  after: string,
  upTo: string | undefined,
  settledMs: number,
): Promise<{ id: string; key: string }[]> {
  const key = sql`${uploads.key} collate "C"`
  return db
    .select({ id: uploads.id, key: uploads.key })
    .from(uploads)
    .where(
      and(
        inArray(uploads.state, ['quarantined', 'scanned', 'published']),
        gt(key, after),
        // A small one's row is there a moment before its object.
        lte(uploads.updatedAt, sql`now() - ${settledMs}::int * interval '1 millisecond'`),
        upTo === undefined ? sql`starts_with(${uploads.key}, ${prefix}::text)` : lte(key, upTo),
      ),
    )
    .orderBy(asc(key))
    .limit(PAGE * 4)
}

/** Which of these keys some row accounts for: its object, its unfinished rest, what is derived from it. */
export async function accounted(db: UploadsDatabase, keys: readonly string[]): Promise<Set<string>> {
  if (keys.length === 0) return new Set()
  // Each of the two by its own index: of an "or" over both tables none would be used.
  const wanted = sql`any(array(select jsonb_array_elements_text(${JSON.stringify(keys)}::jsonb)))`
  const { rows } = await db.execute(sql`
    select u.key from ${uploads} u where u.key collate "C" = ${wanted} and u.purged_at is null
    union all
    select t.tail_key from ${uploadTransfers} t join ${uploads} u on u.id = t.upload_id
    where t.tail_key = ${wanted} and u.purged_at is null`)
  return new Set(rows.map((row) => String(row['key'])))
}

/**
 * Looks at bucket and rows side by side, in the order of keys: removes objects that no row accounts for, once they are
 * older than the grace, and reports uploads whose object is gone.
 */
export async function reconcile<E extends Env>(
  { options, bucket, signal }: ProcessContext<E>,
  { cursor, resume = false, graceMs, dryRun, pages }: ReconcileOptions,
): Promise<ReconcileReport> {
  const { db, prefix } = options
  const place = `${prefix}${PLACE}`
  const begin = cursor ?? (resume ? await (await bucket.get(place))?.text() : undefined)
  const orphans: string[] = []
  const missing: string[] = []
  let [objects, after, ended] = [0, begin ?? '', false]
  for (let page = 0; page < pages && !ended && !signal.aborted; page++) {
    const listed = await bucket.list({ prefix, limit: PAGE, ...(after !== '' && { startAfter: after }) })
    const found = listed.objects.filter(({ key }) => key !== place)
    const keys = found.map(({ key }) => key)
    const last = listed.objects.at(-1)?.key
    ended = !listed.truncated
    objects += keys.length
    const known = await accounted(db, [...new Set(keys.map(originOf))])
    const old = Date.now() - graceMs
    const stray = found.filter(({ key, uploaded }) => !known.has(originOf(key)) && uploaded.getTime() < old)
    if (!dryRun && stray.length > 0) await bucket.delete(stray.map(({ key }) => key))
    orphans.push(...stray.map(({ key }) => key))

    const present = new Set(keys)
    const spare = Math.min(graceMs, SETTLED_MS)
    for (const { id, key } of await rowsBetween(db, prefix, after, ended ? undefined : last, spare)) {
      // One that came after the page was listed is looked for itself.
      if (!present.has(key) && (await bucket.head(key)) === null) missing.push(id)
    }
    after = last ?? after
  }
  if (resume) await bucket.put(place, ended ? '' : after)
  return { objects, orphans, missing, ...(!ended && { cursor: after }) }
}

/** How many uploads are in each state, and their bytes. */
export async function uploadStats(
  db: UploadsDatabase,
): Promise<{ kind: string; state: string; count: number; bytes: number }[]> {
  const { rows } = await db.execute(sql`
    select kind, state, count(*)::int as count, coalesce(sum(size), 0)::text as bytes
    from ${uploads} group by kind, state order by kind, state`)
  return rows.map((row) => ({
    kind: String(row['kind']),
    state: String(row['state']),
    count: Number(row['count']),
    bytes: Number(row['bytes']),
  }))
}
