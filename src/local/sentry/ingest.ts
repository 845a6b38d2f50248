import type { Context } from 'hono'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import type { Shelf } from '../shelf.ts'
import { BodyError, inflateAny, readBody } from './body.ts'
import { EnvelopeError, parseEnvelope } from './envelope.ts'
import type { Originals } from './originals.ts'
import { at, type CapturedRecord, textAt, toRecord } from './record.ts'

/**
 * Where SDKs send to: `/api/<project>/envelope/`, the older `/store/`, and `/security/` for reports of browsers.
 * @param keys The public keys that are taken; absent, any.
 */
export function ingest(
  shelf: Shelf<CapturedRecord>,
  keys: readonly string[] | undefined,
  originals: Originals,
): Hono {
  const app = new Hono({ strict: false })
  // Now: the next build takes this one's map away.
  const keep = (record: CapturedRecord): void => {
    const found = record.type === 'event' ? originals.of(record.payload) : undefined
    shelf.add(found ? { ...record, originals: found } : record)
  }
  // SDKs in pages post from any origin and read the back-off.
  app.use(
    '/api/:project{[0-9]+}/:kind{envelope|store|security}',
    cors({
      origin: '*',
      allowMethods: ['POST', 'OPTIONS'],
      allowHeaders: [
        'content-type',
        'content-encoding',
        'x-sentry-auth',
        'authorization',
        'sentry-trace',
        'baggage',
      ],
      exposeHeaders: ['x-sentry-error', 'x-sentry-rate-limits', 'retry-after'],
    }),
  )

  app.post('/api/:project{[0-9]+}/envelope', async (c) => {
    const envelope = parseEnvelope(await readBody(c.req.raw))
    const denied = refuseKey(c, keys, textAt(envelope.header, 'dsn'))
    if (denied) return denied
    for (const item of envelope.items) keep(toRecord(c.req.param('project'), envelope.header, item))
    const id = textAt(envelope.header, 'event_id')
    return c.json(id === undefined ? {} : { id })
  })

  app.post('/api/:project{[0-9]+}/store', async (c) => {
    const denied = refuseKey(c, keys)
    if (denied) return denied
    const event = await storeBody(await readBody(c.req.raw))
    const type = textAt(event, 'type') === 'transaction' ? 'transaction' : 'event'
    const record = toRecord(
      c.req.param('project'),
      {},
      { header: { type }, payload: Buffer.from(JSON.stringify(event)) },
    )
    keep(record)
    return c.json(record.eventId === undefined ? {} : { id: record.eventId })
  })

  app.post('/api/:project{[0-9]+}/security', async (c) => {
    const denied = refuseKey(c, keys)
    if (denied) return denied
    const payload = await readBody(c.req.raw)
    if (at(parseJson(payload), 'csp-report') === undefined) return bad(c, 400, 'invalid security report')
    shelf.add(toRecord(c.req.param('project'), {}, { header: { type: 'csp' }, payload }))
    return c.body(null, 201)
  })

  app.onError((error, c) => {
    if (error instanceof EnvelopeError) return bad(c, 400, 'bad envelope data', error.causes)
    if (error instanceof BodyError) return bad(c, error.status, error.message)
    throw error
  })
  return app
}

function bad(
  c: Context,
  status: 400 | 401 | 403 | 413,
  detail: string,
  causes: readonly string[] = [],
): Response {
  c.header('x-sentry-error', detail)
  return c.json({ detail, ...(causes.length > 0 && { causes }) }, status)
}

/** The public key may be in the query, in a header, or in the DSN that the envelope repeats. */
function refuseKey(c: Context, keys: readonly string[] | undefined, dsn?: string): Response | undefined {
  const header = c.req.header('x-sentry-auth') ?? c.req.header('authorization') ?? ''
  const key =
    c.req.query('sentry_key') ??
    /^Sentry .*\bsentry_key\s*=\s*([^\s,]+)/i.exec(header)?.[1] ??
    (dsn !== undefined && URL.canParse(dsn) ? new URL(dsn).username : '')
  if (key === '') return bad(c, 401, 'missing authorization information')
  if (keys && !keys.includes(key)) return bad(c, 403, 'event submission rejected with_reason: ProjectId')
  return undefined
}

/** Old SDKs send an event's JSON plainly, or deflated and in base64. */
async function storeBody(bytes: Buffer): Promise<unknown> {
  const text = bytes.toString('utf8')
  const plain = parseJson(bytes)
  if (typeof plain === 'object' && plain !== null) return plain
  if (/^[A-Za-z0-9+/=\s]+$/.test(text)) {
    try {
      return JSON.parse((await inflateAny(Buffer.from(text, 'base64'))).toString('utf8'))
    } catch {
      // Said below.
    }
  }
  throw new BodyError(400, 'invalid event data')
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
