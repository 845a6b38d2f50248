import { and, eq, sql } from 'drizzle-orm'
import { type Context, type Env, Hono } from 'hono'
import { BreakwaterError } from '../core/errors.ts'
import { currentWork } from '../core/work.ts'
import { keepAlive, requireOwner, UUID } from './caller.ts'
import { noSuchUpload } from './errors.ts'
import { signLink, verifyLink } from './links.ts'
import type { ResolvedOptions } from './options.ts'
import { findUpload, type UploadRow } from './records.ts'
import { uploads } from './schema.ts'
import { serve } from './serve.ts'
import { findVariant } from './variants.ts'

/** What is larger is not worth a place in the cache, nor the copy on the way there. */
const MAX_CACHED = 50_000_000
const DEFAULT_LIFE = 3600
const LONGEST_LIFE = 7 * 86_400

/** The row, if the caller may know of it. Somebody else's is as good as none. */
export async function findReadable<E extends Env>(
  c: Context<E>,
  id: string,
  options: ResolvedOptions<E>,
): Promise<UploadRow> {
  const row = UUID.test(id) ? await findUpload(options.db, id) : undefined
  if (row === undefined || row.state === 'deleted') throw noSuchUpload()
  if (options.kinds.get(row.kind)?.visibility === 'public' && row.state === 'published') return row
  const token = c.req.query('token')
  if (token !== undefined && (await verifyLink(options.secrets, row, token, Date.now()))) return row
  if (row.ownerId !== requireOwner(c, options)) throw noSuchUpload()
  return row
}

/** What Cloudflare keeps near the reader. Absent where there is none, as in Node. */
function edgeCache(): Cache | undefined {
  return typeof caches === 'undefined' ? undefined : caches.default
}

/** The address under which a public upload is kept: without a query, which strangers could vary at will. */
function cacheKey(url: string): string {
  const { origin, pathname } = new URL(url)
  return origin + pathname
}

/** Takes a public upload, and variants of it, out of this location's cache; elsewhere they go when their time is over. */
export async function uncache(url: string, variants: Iterable<string>): Promise<void> {
  const cache = edgeCache()
  const key = cacheKey(url)
  const keys = [key, ...[...variants].map((name) => `${key}/variants/${name}`)]
  await Promise.allSettled(keys.map((one) => cache?.delete(one)))
}

/** The routes that hand out: `GET /:id`, `GET /:id/variants/:name`, `POST` and `DELETE /:id/links`. */
export function readRoutes<E extends Env>(options: ResolvedOptions<E>): Hono<E> {
  const anyPublic = [...options.kinds.values()].some(({ visibility }) => visibility === 'public')

  async function fromCache(c: Context<E>): Promise<Response | undefined> {
    if (!anyPublic || c.req.method !== 'GET' || c.req.query('token') !== undefined) return undefined
    // Answers ranges and conditions by itself.
    const asked = new Request(cacheKey(c.req.url), { headers: c.req.raw.headers })
    const found = await edgeCache()
      ?.match(asked)
      .catch(() => undefined)
    return found && new Response(found.body, found)
  }

  async function ownRow(c: Context<E>): Promise<UploadRow> {
    const ownerId = requireOwner(c, options)
    const id = c.req.param('id') ?? ''
    const row = UUID.test(id) ? await findUpload(options.db, id) : undefined
    if (row === undefined || row.state !== 'published' || row.ownerId !== ownerId) throw noSuchUpload()
    if (options.secrets.length === 0) throw noSuchUpload()
    return row
  }

  async function published(c: Context<E>): Promise<UploadRow> {
    const row = await findReadable(c, c.req.param('id') ?? '', options)
    if (row.state === 'rejected') throw noSuchUpload()
    if (row.state !== 'published') {
      throw new BreakwaterError('conflict', {
        status: 409,
        detail: 'The file is still being checked.',
        headers: { 'Retry-After': '2' },
      })
    }
    return row
  }

  async function hand(c: Context<E>, row: UploadRow): Promise<Response> {
    const kind = options.kinds.get(row.kind)
    const visibility = kind?.visibility ?? 'owner'
    const reply = await serve(c.req.raw, row, {
      bucket: options.bucket(c),
      inline: options.inline,
      visibility,
      cacheControl: kind?.cacheControl,
    })
    const cache = edgeCache()
    const whole = visibility === 'public' && reply.status === 200 && c.req.method === 'GET'
    if (whole && cache !== undefined && (row.size ?? 0) <= MAX_CACHED) {
      keepAlive(c, cache.put(cacheKey(c.req.url), reply.clone()))
    }
    return reply
  }

  /** The original instead: where there is no binding, or it cannot make anything of this picture. */
  function toOriginal(c: Context<E>): Response {
    const { pathname, search } = new URL(c.req.url)
    c.header('Cache-Control', 'no-store')
    return c.redirect(pathname.replace(/\/variants\/[^/]+$/, '') + search, 302)
  }

  return new Hono<E>()
    .get('/:id', async (c) => (await fromCache(c)) ?? hand(c, await published(c)))
    .get('/:id/variants/:name', async (c) => {
      const cached = await fromCache(c)
      if (cached !== undefined) return cached
      const row = await published(c)
      const name = c.req.param('name')
      const variants = options.kinds.get(row.kind)?.variants ?? {}
      const variant = Object.hasOwn(variants, name) ? variants[name] : undefined
      if (variant === undefined) throw noSuchUpload()
      const images = options.images(c)
      if (images === undefined) return toOriginal(c)
      const made = await findVariant(row, name, variant, { bucket: options.bucket(c), images }).catch(
        (error: unknown) => {
          // A picture that cannot be read is no news (Cloudflare's own errors have numbers); the rest is.
          if (typeof (error as { code?: unknown }).code !== 'number') currentWork()?.fail?.(error, 'handler')
          return undefined
        },
      )
      return made === undefined ? toOriginal(c) : hand(c, made)
    })
    .post('/:id/links', async (c) => {
      const row = await ownRow(c)
      const seconds = Number(c.req.query('seconds') ?? DEFAULT_LIFE)
      if (!Number.isInteger(seconds) || seconds < 1 || seconds > LONGEST_LIFE) {
        throw new BreakwaterError('validation-failed', {
          status: 422,
          fields: [{ pointer: '?seconds', detail: `must be 1 to ${LONGEST_LIFE}` }],
        })
      }
      const expires = Math.floor(Date.now() / 1000) + seconds
      const own = new URL(c.req.url)
      const url = new URL(own.pathname.replace(/\/links$/, ''), options.origin ?? own.origin)
      url.searchParams.set('token', await signLink(options.secrets, row, expires))
      c.header('Cache-Control', 'no-store')
      return c.json({ url: url.href, expiresAt: new Date(expires * 1000).toISOString() }, 201)
    })
    .delete('/:id/links', async (c) => {
      const { id, ownerId } = await ownRow(c)
      await options.db
        .update(uploads)
        .set({ linkEpoch: sql`${uploads.linkEpoch} + 1` })
        .where(and(eq(uploads.id, id), eq(uploads.ownerId, ownerId)))
      return c.body(null, 204)
    })
}
