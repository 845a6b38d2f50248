import { type Env, Hono } from 'hono'
import { keepAlive, requireOwner, UUID } from './caller.ts'
import { createUpload } from './create.ts'
import { directRoutes } from './direct/routes.ts'
import { noSuchUpload } from './errors.ts'
import { listUploads, type UploadPage } from './list.ts'
import type { ResolvedOptions } from './options.ts'
import { processUpload, purge } from './process.ts'
import { findReadable, readRoutes, uncache } from './read.ts'
import { findUpload } from './records.ts'
import { endWithJob } from './settle.ts'
import { tusRoutes } from './tus/routes.ts'
import { toView, type UploadView } from './view.ts'

/** The routes' types, for Hono's `hc` client. Bodies are bytes: send them with `fetch`. */
export type UploadsSchema = {
  '/': {
    $post: {
      input: { query: { kind: string; name?: string } }
      output: UploadView
      outputFormat: 'json'
      status: 201
    }
    $get: {
      input: { query: { kind?: string; state?: string; after?: string; limit?: string } }
      output: UploadPage
      outputFormat: 'json'
      status: 200
    }
  }
  '/:id/status': {
    $get: { input: { param: { id: string } }; output: UploadView; outputFormat: 'json'; status: 200 }
  }
  '/:id/variants/:name': {
    $get: {
      input: { param: { id: string; name: string } }
      output: unknown
      outputFormat: string
      status: 200
    }
  }
  '/:id': {
    $get: { input: { param: { id: string } }; output: unknown; outputFormat: string; status: 200 }
    $delete: { input: { param: { id: string } }; output: null; outputFormat: 'body'; status: 204 }
  }
}

/** Hono's side of uploads. */
export function uploadRoutes<E extends Env>(options: ResolvedOptions<E>): Hono<E, UploadsSchema, '/'> {
  const app = new Hono<E>()
  app.route('/tus', tusRoutes(options))
  if (options.direct !== undefined) app.route('/direct', directRoutes(options.direct, options))

  app.post('/', async (c) => {
    const ownerId = requireOwner(c, options)
    const task = createUpload(c, ownerId, options)
    keepAlive(c, task)
    let view = await task
    if (options.enqueue === undefined) {
      await processUpload(view.id, { options, bucket: options.bucket(c), signal: c.req.raw.signal })
      const row = await findUpload(options.db, view.id)
      if (row !== undefined) view = toView(row)
    }
    c.header('Location', `${new URL(c.req.url).pathname.replace(/\/$/, '')}/${view.id}`)
    c.header('Cache-Control', 'no-store')
    return c.json(view, 201)
  })

  app.get('/', async (c) => {
    const ownerId = requireOwner(c, options)
    const { kind, state, after, limit } = c.req.query()
    c.header('Cache-Control', 'no-store')
    return c.json(await listUploads(options.db, ownerId, { kind, state, after, limit }))
  })

  app.get('/:id/status', async (c) => {
    const ownerId = requireOwner(c, options)
    const row = await findReadable(c, c.req.param('id'), options)
    if (row.ownerId !== ownerId) throw noSuchUpload()
    c.header('Cache-Control', 'no-store')
    return c.json(toView(row))
  })

  app.route('/', readRoutes(options))

  app.delete('/:id', async (c) => {
    const ownerId = requireOwner(c, options)
    const id = c.req.param('id')
    const key = UUID.test(id) ? await endWithJob(id, ownerId, options) : undefined
    if (key === undefined) throw noSuchUpload()
    // The row says deleted: nobody reads it any more. Should this fail, the job removes the object, or the sweep.
    const variants = new Set([...options.kinds.values()].flatMap((kind) => Object.keys(kind.variants)))
    const purged = purge({ id, key }, { options, bucket: options.bucket(c) }).catch(() => {})
    keepAlive(c, purged)
    await Promise.all([purged, uncache(c.req.url, variants)])
    return c.body(null, 204)
  })

  return app as unknown as Hono<E, UploadsSchema, '/'>
}
