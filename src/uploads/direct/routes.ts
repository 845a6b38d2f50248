import { type Context, type Env, Hono } from 'hono'
import { fromStream, limited } from '../byte-source.ts'
import { keepAlive, requireOwner, UUID } from '../caller.ts'
import { badUpload, goneUpload, noSuchUpload } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import { purge } from '../process.ts'
import { endStatement, findUpload } from '../records.ts'
import { findTransfer, type Transfer } from '../transfer-records.ts'
import { toView } from '../view.ts'
import { beginDirect, SIGNED_SECONDS } from './begin.ts'
import { confirmDirect } from './confirm.ts'
import { type DirectAccess, presign } from './presign.ts'

/** Ten thousand parts with their tags. */
const MAX_JSON = 1024 * 1024
/** How many parts are signed at once. */
const MAX_SIGNED = 100

/**
 * Uploads straight to the bucket: `POST /` asks, `POST /:id/parts` signs parts, `POST /:id/complete` confirms,
 * `DELETE /:id` gives up.
 */
export function directRoutes<E extends Env>(access: DirectAccess, options: ResolvedOptions<E>): Hono<E> {
  async function json(c: Context<E>): Promise<unknown> {
    const { body } = c.req.raw
    if (body === null) return undefined
    const source = limited(fromStream(body), { maxBytes: MAX_JSON, stallMs: options.stallMs })
    const decoder = new TextDecoder()
    let text = ''
    for (let chunk = await source.read(); chunk !== undefined; chunk = await source.read()) {
      text += decoder.decode(chunk, { stream: true })
    }
    if (text === '') return undefined
    try {
      return JSON.parse(text)
    } catch {
      throw badUpload('The body is not JSON.')
    }
  }

  async function find(c: Context<E>): Promise<Transfer> {
    const ownerId = requireOwner(c, options)
    const id = c.req.param('id') ?? ''
    const found = UUID.test(id) ? await findTransfer(options.db, id, ownerId) : undefined
    if (found === undefined || found.transfer.mode === 'tus') throw noSuchUpload()
    const { state } = found.upload
    const open = state === 'reserved' || state === 'receiving'
    if (state === 'rejected' || state === 'deleted') throw goneUpload()
    if (open && found.transfer.expiresAt.getTime() < Date.now()) throw goneUpload()
    return found
  }

  const isOpen = ({ upload: { state } }: Transfer): boolean => state === 'reserved' || state === 'receiving'

  return new Hono<E>()
    .post('/', async (c) => {
      const ownerId = requireOwner(c, options)
      c.header('Cache-Control', 'no-store')
      return c.json(await beginDirect(c, ownerId, await json(c), access, options), 201)
    })
    .post('/:id/parts', async (c) => {
      const { upload, transfer } = await find(c)
      const { multipartId, length, partBytes } = transfer
      if (multipartId === null || length === null) throw badUpload('This upload is not in parts.')
      const asked = ((await json(c)) as { partNumbers?: unknown } | null | undefined)?.partNumbers
      const count = Math.ceil(length / partBytes)
      const numbers = Array.isArray(asked) ? (asked as unknown[]) : []
      const valid = numbers.every((n) => Number.isInteger(n) && (n as number) >= 1 && (n as number) <= count)
      if (numbers.length === 0 || numbers.length > MAX_SIGNED || !valid) {
        throw badUpload(`partNumbers must be 1 to ${MAX_SIGNED} numbers between 1 and ${count}.`)
      }
      const parts = await Promise.all(
        (numbers as number[]).map(async (partNumber) => ({
          partNumber,
          ...(await presign(access, upload.key, {
            length: partNumber === count ? length - (count - 1) * partBytes : partBytes,
            query: { partNumber: String(partNumber), uploadId: multipartId },
            seconds: SIGNED_SECONDS,
          })),
        })),
      )
      c.header('Cache-Control', 'no-store')
      return c.json({ parts })
    })
    .post('/:id/complete', async (c) => {
      const found = await find(c)
      const input = await json(c)
      if (isOpen(found)) {
        const signal = new AbortController().signal
        const task = confirmDirect(found, input, { options, bucket: options.bucket(c), signal })
        keepAlive(c, task)
        await task
      }
      const row = await findUpload(options.db, found.upload.id)
      if (row === undefined) throw noSuchUpload()
      c.header('Cache-Control', 'no-store')
      return c.json(toView(row))
    })
    .delete('/:id', async (c) => {
      const found = await find(c)
      if (!isOpen(found)) throw noSuchUpload()
      const { id, ownerId } = found.upload
      await options.db.execute(endStatement(id, 'rejected', { ownerId, reason: 'terminated' }))
      const purged = purge(found.upload, { options, bucket: options.bucket(c) }).catch(() => {})
      keepAlive(c, purged)
      await purged
      return c.body(null, 204)
    })
}
