import { type Context, type Env, Hono } from 'hono'
import { BreakwaterError } from '../../core/errors.ts'
import { keepAlive, requireOwner, UUID } from '../caller.ts'
import { goneUpload, lockedUpload, noSuchUpload, tooLarge, wrongOffset, wrongType } from '../errors.ts'
import { finishTransfer, isComplete } from '../finish.ts'
import type { ResolvedOptions } from '../options.ts'
import { type ProcessContext, purge } from '../process.ts'
import { endStatement } from '../records.ts'
import { claim, declareLength, findTransfer, releaseLease, type Transfer } from '../transfer-records.ts'
import { append } from './append.ts'
import { type Begun, begin } from './begin.ts'
import {
  bytesField,
  checksumField,
  OFFSET_STREAM,
  TUS_CHECKSUMS,
  TUS_EXTENSIONS,
  TUS_VERSION,
} from './fields.ts'

/** Whether there is nothing left to go on with. */
function isGone({ upload, transfer }: Transfer): boolean {
  const done = transfer.length === transfer.receivedBytes
  return (
    upload.state === 'rejected' ||
    upload.state === 'deleted' ||
    (!done && transfer.expiresAt.getTime() < Date.now())
  )
}

function isUnfinished({ upload }: Transfer): boolean {
  return upload.state === 'reserved' || upload.state === 'receiving'
}

function present(found: Transfer | undefined): Transfer {
  if (found === undefined || found.transfer.mode !== 'tus') throw noSuchUpload()
  if (isGone(found)) throw goneUpload()
  return found
}

/** The resumable upload protocol tus 1.0: `POST /`, and `HEAD`, `PATCH`, `DELETE /:id`. */
export function tusRoutes<E extends Env>(options: ResolvedOptions<E>): Hono<E> {
  const { db } = options
  const largest = String(Math.max(...[...options.kinds.values()].map(({ maxBytes }) => maxBytes)))

  const contextOf = (c: Context<E>): ProcessContext<E> => ({
    options,
    bucket: options.bucket(c),
    // A client that leaves must not take what it has brought with it.
    signal: new AbortController().signal,
  })

  async function find(c: Context<E>, id: string): Promise<Transfer> {
    const ownerId = requireOwner(c, options)
    return present(UUID.test(id) ? await findTransfer(db, id, ownerId) : undefined)
  }

  function describe(c: Context<E>): Response {
    c.header('Tus-Version', TUS_VERSION)
    c.header('Tus-Extension', TUS_EXTENSIONS)
    c.header('Tus-Checksum-Algorithm', TUS_CHECKSUMS)
    c.header('Tus-Max-Size', largest)
    return c.body(null, 204)
  }

  async function create(c: Context<E>): Promise<Response> {
    const ownerId = requireOwner(c, options)
    const { headers, body } = c.req.raw
    const length = bytesField(headers, 'Content-Length')
    const withBytes = body !== null && length !== 0
    if (withBytes && headers.get('content-type') !== OFFSET_STREAM) throw notBytes()
    const checksum = checksumField(headers)
    const begun = await begin(c, ownerId, options)
    if (withBytes) {
      const offset = await take(c, {
        id: begun.id,
        ownerId,
        offset: 0,
        begun,
        contentLength: length,
        checksum,
      })
      c.header('Upload-Offset', String(offset))
    }
    c.header('Upload-Expires', begun.expiresAt.toUTCString())
    c.header('Location', `${new URL(c.req.url).pathname.replace(/\/$/, '')}/${begun.id}`)
    return c.body(null, 201)
  }

  async function head(c: Context<E>, id: string): Promise<Response> {
    c.header('Cache-Control', 'no-store')
    const found = await find(c, id)
    // Every byte is here, but who took the last one did not live to say so.
    if (isComplete(found)) await finishTransfer(found, contextOf(c))
    const { transfer } = found
    c.header('Upload-Offset', String(transfer.receivedBytes))
    if (transfer.length === null) c.header('Upload-Defer-Length', '1')
    else c.header('Upload-Length', String(transfer.length))
    if (transfer.metadata !== null) c.header('Upload-Metadata', transfer.metadata)
    if (isUnfinished(found)) c.header('Upload-Expires', transfer.expiresAt.toUTCString())
    return c.body(null, 200)
  }

  async function patch(c: Context<E>, id: string): Promise<Response> {
    const ownerId = requireOwner(c, options)
    const { headers } = c.req.raw
    if (headers.get('content-type') !== OFFSET_STREAM) throw notBytes()
    const offset = bytesField(headers, 'Upload-Offset')
    if (offset === undefined)
      throw new BreakwaterError('bad-request', { status: 400, detail: 'Upload-Offset is missing.' })
    const checksum = checksumField(headers)
    const declared = bytesField(headers, 'Upload-Length')
    const contentLength = bytesField(headers, 'Content-Length')
    if (!UUID.test(id)) throw noSuchUpload()
    const now = await take(c, { id, ownerId, offset, declared, contentLength, checksum })
    c.header('Upload-Offset', String(now))
    return c.body(null, 204)
  }

  interface Taking {
    readonly id: string
    readonly ownerId: string
    readonly offset: number
    readonly begun?: Begun
    readonly declared?: number | undefined
    readonly contentLength: number | undefined
    readonly checksum: ReturnType<typeof checksumField>
  }

  /** Takes the pen, the bytes, and gives the pen back. Resolves with the new offset. */
  async function take(c: Context<E>, taking: Taking): Promise<number> {
    const { id, ownerId, offset, contentLength } = taking
    const token = crypto.randomUUID()
    const { held, found: claimed } = await claim(db, { id, ownerId, token, offset })
    if (!held || claimed === undefined) return refuse(present(claimed), taking)
    const context = contextOf(c)
    let work: Promise<number>
    try {
      const transfer = await lengthened(claimed, token, taking.declared)
      const moved = { upload: claimed.upload, transfer }
      if (transfer.length !== null && transfer.length === offset && !(contentLength ?? 0)) {
        await releaseLease(db, id, token)
        work = finishTransfer(moved, context).then(() => offset)
      } else {
        const most = transfer.length ?? options.kinds.get(claimed.upload.kind)?.maxBytes ?? 0
        if (offset + (contentLength ?? 0) > most) throw tooLarge(most)
        const { body } = c.req.raw
        work = append({ claimed: moved, token, body, contentLength, checksum: taking.checksum, context })
        if (transfer.length === null || offset + (contentLength ?? 0) < transfer.length) {
          c.header('Upload-Expires', transfer.expiresAt.toUTCString())
        }
      }
    } catch (error) {
      await releaseLease(db, id, token).catch(() => {})
      throw error
    }
    keepAlive(c, work)
    return work
  }

  async function lengthened(
    { upload, transfer }: Transfer,
    token: string,
    declared: number | undefined,
  ): Promise<Transfer['transfer']> {
    if (declared === undefined || declared === transfer.length) return transfer
    const kind = options.kinds.get(upload.kind)
    if (kind !== undefined && declared > kind.maxBytes) throw tooLarge(kind.maxBytes)
    if (transfer.length !== null || declared < transfer.receivedBytes || declared === 0) {
      throw new BreakwaterError('bad-request', {
        status: 400,
        detail: 'Upload-Length was said before, or is less than what has come.',
      })
    }
    if (!(await declareLength(db, upload.id, token, declared))) throw wrongOffset()
    return { ...transfer, length: declared }
  }

  /** Why the pen could not be had; or, for a request whose reply was lost, that all is well. */
  function refuse(found: Transfer, { offset, contentLength }: Taking): number {
    const { transfer } = found
    if (transfer.receivedBytes !== offset) throw wrongOffset()
    if (isUnfinished(found)) throw lockedUpload()
    if (contentLength !== 0) throw tooLarge(transfer.receivedBytes)
    return offset
  }

  async function terminate(c: Context<E>, id: string): Promise<Response> {
    const found = await find(c, id)
    const to = isUnfinished(found) ? 'rejected' : 'deleted'
    const { ownerId } = found.upload
    const { rows } = await db.execute(endStatement(id, to, { ownerId, reason: 'terminated' }))
    if (rows.length === 0) throw goneUpload()
    // Should this fail, the sweep removes what is left.
    const purged = purge(found.upload, contextOf(c)).catch(() => {})
    keepAlive(c, purged)
    await purged
    return c.body(null, 204)
  }

  /** What the client means, whatever method it had to use. */
  function begins(c: Context<E>): string {
    const method = (c.req.header('x-http-method-override') ?? c.req.method).toUpperCase()
    c.header('Tus-Resumable', TUS_VERSION)
    if (method !== 'OPTIONS' && c.req.header('tus-resumable') !== TUS_VERSION) {
      throw new BreakwaterError('precondition-failed', {
        status: 412,
        detail: 'Tus-Resumable must name a version that is served.',
        headers: { 'Tus-Version': TUS_VERSION },
      })
    }
    return method
  }

  function notAllowed(allow: string): BreakwaterError {
    return new BreakwaterError('method-not-allowed', { status: 405, headers: { Allow: allow } })
  }

  return new Hono<E>()
    .all('/', async (c) => {
      const method = begins(c)
      if (method === 'OPTIONS') return describe(c)
      if (method === 'POST') return create(c)
      throw notAllowed('OPTIONS, POST')
    })
    .all('/:id', async (c) => {
      const method = begins(c)
      const id = c.req.param('id')
      if (method === 'OPTIONS') return describe(c)
      if (method === 'HEAD') return head(c, id)
      if (method === 'PATCH') return patch(c, id)
      if (method === 'DELETE') return terminate(c, id)
      throw notAllowed('DELETE, HEAD, OPTIONS, PATCH')
    })
}

function notBytes(): BreakwaterError {
  return wrongType(`Bytes are sent as ${OFFSET_STREAM}.`, [OFFSET_STREAM])
}
