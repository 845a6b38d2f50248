import type { Context, MiddlewareHandler } from 'hono'
import { BreakwaterError, type Limiter } from '../core/index.ts'
import type { Capture } from './capture.ts'
import { checkReport } from './page-report.ts'

/** Options of {@link captureTunnel}. */
export interface TunnelOptions {
  readonly capture: Capture
  /** Counts what each caller sends. Without one only the bounds below hold. */
  readonly limiter?: Limiter
  /** The limiter's policy. Default `default`. */
  readonly policy?: string
  /** Who is counted. Default the caller's address. */
  readonly key?: (c: Context) => string
  /** Bytes a report may have. Default 32 KB. */
  readonly maxBytes?: number
  /** Reports an isolate takes a minute, whoever sends them. Default 300. */
  readonly perMinute?: number
}

/** Reads a body up to a bound; undefined when it is larger. */
async function bounded(request: Request, max: number): Promise<string | undefined> {
  if (Number(request.headers.get('content-length') ?? 0) > max) return undefined
  const reader = request.body?.getReader()
  if (reader === undefined) return ''
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.byteLength
    if (bytes > max) {
      await reader.cancel().catch(() => {})
      return undefined
    }
    text += decoder.decode(value, { stream: true })
  }
}

/**
 * Takes what `breakwater/client/capture` sends, on the page's own origin, so that neither blockers nor a content security
 * policy stand in between. It is no relay: what arrives is checked, and the events are put together here, masked like the
 * server's own, for the one project the server tells. Pages of other origins are refused.
 *
 * ```ts
 * app.post('/_capture', captureTunnel({ capture, limiter }))
 * ```
 *
 * Answers 204; 400 for what is no report, 403 to other origins, 413, and 429.
 */
export function captureTunnel(options: TunnelOptions): MiddlewareHandler {
  const { capture, limiter, policy = 'default', maxBytes = 32_768, perMinute = 300 } = options
  const key = options.key ?? ((c: Context): string => c.req.header('cf-connecting-ip') ?? 'local')
  let minute = 0
  let taken = 0

  return async function captureTunnel(c) {
    const site = c.req.header('sec-fetch-site')
    const origin = c.req.header('origin')
    const own = site === undefined ? origin === new URL(c.req.url).origin : site === 'same-origin'
    if (!own) throw new BreakwaterError('cross-site-request', { status: 403 })
    const now = Math.floor(Date.now() / 60_000)
    if (now !== minute) {
      minute = now
      taken = 0
    }
    if (++taken > perMinute)
      throw new BreakwaterError('quota-exceeded', { status: 429, headers: { 'Retry-After': '60' } })
    const decision = await limiter?.check([{ policy, key: `capture:${key(c)}` }])
    if (decision && !decision.allowed) {
      const headers = { 'Retry-After': String(Math.max(1, Math.ceil(decision.retryAfter))) }
      throw new BreakwaterError('quota-exceeded', { status: 429, headers })
    }
    const body = await bounded(c.req.raw, maxBytes)
    if (body === undefined) throw new BreakwaterError('payload-too-large', { status: 413 })
    const report = checkReport(body)
    if (report === undefined) throw new BreakwaterError('bad-request', { status: 400 })
    capture.page(report, new URL(c.req.url).origin)
    return c.body(null, 204)
  }
}
