import type { Env, Hono } from 'hono'
import { type Duration, milliseconds } from '../core/time.ts'
import { resolveOptions, type UploadsOptions } from './options.ts'
import { processUpload } from './process.ts'
import { type ReconcileReport, reconcile, uploadStats } from './reconcile.ts'
import { type UploadsSchema, uploadRoutes } from './routes.ts'
import type { UploadState } from './state.ts'
import { type SweepReport, sweepUploads } from './sweep.ts'

/** What work outside of a request is given. */
export interface UploadTask {
  /** Ends the work early. */
  readonly signal?: AbortSignal
  /** The bucket, where the options have it as a function of the request. */
  readonly bucket?: R2Bucket
}

/** Uploads, ready to mount. */
export interface Uploads<E extends Env = Env> {
  /**
   * `POST /?kind=…[&name=…]`, `GET /:id`, `GET /:id/status`, `DELETE /:id`. Mount with `app.route('/uploads', …)`,
   * behind whatever tells who is asking.
   */
  readonly routes: Hono<E, UploadsSchema, '/'>
  /**
   * Checks a stored upload and publishes or rejects it: the handler of the job `upload.process`. Idempotent.
   * Resolves with the state it is in; undefined when there is none. Rejects when a dependency fails: try again.
   */
  process(id: string, task?: UploadTask): Promise<UploadState | undefined>
  /** Frees stale reservations, resumes processing, removes objects of ended uploads. Run it from a cron trigger. */
  sweep(task?: UploadTask): Promise<SweepReport>
  /**
   * Looks at bucket and rows side by side: removes objects without a row that are older than the grace (default 1 d),
   * and reports uploads whose object is gone. Up to `pages` (default 10) times a thousand objects; go on with `cursor`,
   * or let it find its place with `resume`, as from a nightly cron trigger.
   */
  reconcile(
    task?: UploadTask & {
      readonly cursor?: string
      readonly resume?: boolean
      readonly grace?: Duration
      readonly dryRun?: boolean
      readonly pages?: number
    },
  ): Promise<ReconcileReport>
  /** How many uploads are in each state, and their bytes, by kind. */
  stats(): Promise<{ kind: string; state: string; count: number; bytes: number }[]>
}

/**
 * Uploads into R2: owned, limited, hashed, told by their bytes, quarantined until they are checked, and served so
 * that they cannot harm.
 *
 * @example
 * ```ts
 * const uploads = createUploads<AuthEnv>({
 *   db,
 *   bucket: env.UPLOADS,
 *   owner: (c) => c.var.user?.id,
 *   kinds: { avatar: { types: ['image/png', 'image/jpeg'], maxBytes: 2_000_000, visibility: 'public' } },
 *   enqueue: jobs.enqueue,
 * })
 * app.route('/uploads', uploads.routes)
 * ```
 * @throws TypeError when an option is wrong.
 */
export function createUploads<E extends Env = Env, K extends string = string>(
  options: UploadsOptions<E, K>,
): Uploads<E> {
  const resolved = resolveOptions<E>(options)
  const context = ({ signal, bucket }: UploadTask = {}) => ({
    options: resolved,
    bucket: bucket ?? resolved.bucket(undefined),
    signal: signal ?? new AbortController().signal,
  })
  return {
    routes: uploadRoutes(resolved),
    process: (id, task) => processUpload(id, context(task)),
    sweep: (task) => sweepUploads(context(task), Date.now()),
    reconcile: (task = {}) =>
      reconcile(context(task), {
        graceMs: milliseconds(task.grace ?? '1 d'),
        dryRun: task.dryRun ?? false,
        pages: task.pages ?? 10,
        resume: task.resume ?? false,
        ...(task.cursor !== undefined && { cursor: task.cursor }),
      }),
    stats: () => uploadStats(resolved.db),
  }
}
