import { isSensitiveKey } from '../core/redact.ts'
import { redactText } from '../core/redact-text.ts'

/** What an event says of a request. */
export interface RequestData {
  readonly method: string
  readonly url: string
  readonly query_string?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Header fields that say how a request was made and nothing about who made it. */
const HEADERS: readonly string[] = [
  'accept',
  'accept-encoding',
  'content-type',
  'content-length',
  'user-agent',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'cf-ray',
]

/** Parameters that are secrets in a query whatever they look like, and ordinary words elsewhere (OAuth's among them). */
const SECRET_PARAMETERS = /^(?:code|state|nonce|key|sig|ticket|assertion|challenge|pin)$/i

/**
 * What may be told of a request: an allow-list of header fields, the route's pattern for its path (values in paths are
 * ids at best and reset tokens at worst), and the query with its values masked by key and by shape. Never the body.
 *
 * @param detailed with header fields and query; one transaction of many does without.
 */
export function requestData(request: Request, route: string | undefined, detailed: boolean): RequestData {
  const { origin, searchParams } = new URL(request.url)
  const told = { method: request.method, url: `${origin}${route ?? '/[unknown]'}` }
  if (!detailed) return told
  const headers: Record<string, string> = {}
  for (const name of HEADERS) {
    const value = request.headers.get(name)
    if (value !== null) headers[name] = redactText(value).slice(0, 300)
  }
  const query: string[] = []
  for (const [key, value] of searchParams) {
    if (query.length === 30) break
    const name = redactText(key).slice(0, 100)
    const hidden = isSensitiveKey(key) || SECRET_PARAMETERS.test(key)
    query.push(`${name}=${hidden ? '[redacted]' : redactText(value).slice(0, 100)}`)
  }
  return {
    ...told,
    ...(query.length > 0 && { query_string: query.join('&') }),
    headers,
  }
}
