import { Hono } from 'hono'
import { fromHere } from '../page.ts'
import type { StandInApp } from '../server.ts'
import { Shelf } from '../shelf.ts'
import { Artifacts } from './api/artifacts.ts'
import { sentryApi } from './api/index.ts'
import { ingest } from './ingest.ts'
import { Originals } from './originals.ts'
import { detailPage, listPage } from './pages.ts'
import { QUERY_KEYS, type RecordQuery, select } from './query.ts'
import type { CapturedRecord } from './record.ts'

/** Options of {@link createSentryApp}. */
export interface SentryAppOptions {
  /** Where what was captured is kept across restarts. Default: in memory only. */
  readonly file?: string
  /** Most records kept; the oldest make room. Default 1000. */
  readonly max?: number
  /** Public keys that are taken. Default: any. */
  readonly keys?: readonly string[]
  /** Auth tokens that the API knows. Default: any. */
  readonly tokens?: readonly string[]
  /** A folder where uploaded source maps are kept across restarts. Default: in memory only. */
  readonly artifacts?: string
  /** The project's folder: stacks of scripts below it show their original lines. Default: only what was uploaded does. */
  readonly sources?: string
}

/**
 * Stands in for Sentry: takes what SDKs send and shows it.
 *
 * - `POST /api/<project>/envelope/`, `/store/`, `/security/`: as at Sentry.
 * - `GET /api/events?type=&level=&project=&environment=&release=&trace=&query=&since=&limit=`:
 *   `{ events, total }`, newest first; `limit` 100 unless told.
 * - `GET /api/events/<id>`: one record, by its own id or by Sentry's event id; where source maps are known, `originals` has
 *   for each frame of each exception where it comes from.
 * - `DELETE /api/events`: forgets everything.
 * - `/api/0/…`: Sentry's public API, as far as `breakwater alerts` and `breakwater sourcemaps` use it.
 * - `GET /`: what was captured, for people.
 */
export function createSentryApp(options: SentryAppOptions = {}): StandInApp {
  const { file, max = 1000, keys, tokens } = options
  const artifacts = new Artifacts(options.artifacts)
  const originals = new Originals(artifacts, options.sources)
  const shelf = new Shelf<CapturedRecord>({ max, ...(file !== undefined && { file }) })
  const find = (id: string): CapturedRecord | undefined =>
    shelf.find((record) => record.id === id || record.eventId === id)
  // The maps may come after the event.
  const mapped = (record: CapturedRecord): CapturedRecord => {
    const found = record.originals ?? originals.of(record.payload)
    return found ? { ...record, originals: found } : record
  }
  const app = new Hono({ strict: false })

  app.get('/api/events', (c) => {
    const limit = Number(c.req.query('limit') ?? 100)
    if (!Number.isInteger(limit) || limit < 0) return c.json({ error: '"limit" is a whole number.' }, 400)
    const found = select(shelf, queryOf(c.req.query()))
    return c.json({ events: found.slice(0, limit), total: found.length })
  })
  app.get('/api/events/:id', (c) => {
    const record = find(c.req.param('id'))
    return record ? c.json(mapped(record)) : c.json({ error: 'There is no such event.' }, 404)
  })
  app.delete('/api/events', (c) => {
    if (!fromHere(c.req.raw)) return c.json({ error: 'Not from another site.' }, 403)
    return c.json({ deleted: shelf.remove(() => true) })
  })
  app.route('/api/0', sentryApi(artifacts, tokens))
  app.route('/', ingest(shelf, keys, originals))

  app.get('/', (c) => listPage(shelf.list(), select(shelf, queryOf(c.req.query())), c.req.query()))
  app.get('/events/:id', (c) => {
    const record = find(c.req.param('id'))
    return record
      ? detailPage(mapped(record), select(shelf, { trace: record.traceId ?? record.id }))
      : c.notFound()
  })
  app.post('/clear', (c) => {
    if (!fromHere(c.req.raw)) return c.text('Not from another site.\n', 403)
    shelf.remove(() => true)
    return c.redirect('/', 303)
  })

  return {
    name: 'sentry',
    fetch: (request) => app.fetch(request),
    close: async () => shelf.close(),
  }
}

function queryOf(query: Readonly<Record<string, string>>): RecordQuery {
  return Object.fromEntries(QUERY_KEYS.flatMap((key) => (query[key] ? [[key, query[key]]] : [])))
}
