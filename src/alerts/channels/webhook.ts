import { toHex } from '../../core/bytes.ts'
import { hmac } from '../../core/crypto.ts'
import type { Channel } from '../channel.ts'
import { checkUrl, post } from './http.ts'

/** Options of {@link webhook}. */
export interface WebhookOptions {
  readonly url: string
  /** Signs what is sent: `X-Breakwater-Signature: t=<seconds>,v1=<hex>`, HMAC-SHA-256 over `<seconds>.<body>`. */
  readonly secret?: string
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch
}

/**
 * Posts each notice as JSON: `{ service, key, rule, status, title, detail, route?, since, at }`, times in ISO 8601.
 * @throws TypeError when the URL is none.
 */
export function webhook(options: WebhookOptions): Channel {
  checkUrl(options.url, 'webhook')
  return {
    name: 'webhook',
    async send(notice, { signal, service }) {
      const body = JSON.stringify({
        service,
        ...notice,
        since: new Date(notice.since).toISOString(),
        at: new Date(notice.at).toISOString(),
      })
      const headers: Record<string, string> = {}
      if (options.secret !== undefined) {
        const seconds = Math.floor(Date.now() / 1000)
        const signature = toHex(await hmac(options.secret, `${seconds}.${body}`))
        headers['x-breakwater-signature'] = `t=${seconds},v1=${signature}`
      }
      await post(options.url, body, headers, signal, 'The webhook', options.fetch)
    },
  }
}
