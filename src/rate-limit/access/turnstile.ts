import { type Duration, milliseconds } from '../../core/index.ts'
import { byAddress } from '../address.ts'
import type { Challenge } from '../gate.ts'
import { compilePolicy } from '../policy.ts'
import { memory } from '../stores/memory.ts'
import { clientAddress, type TrustedProxies } from './proxies.ts'

/** Options of {@link turnstile}. */
export interface TurnstileOptions {
  /** The widget's public key, passed on to clients. */
  readonly sitekey: string
  /** The widget's secret key. */
  readonly secret: string
  /** Policies whose refusal a solved challenge lifts. Default: the app-wide one. */
  readonly policies?: readonly string[]
  /** The header that carries the token of the widget. Default `cf-turnstile-response`. */
  readonly header?: string
  /** The host names a token may be of. Default: any that the widget allows. */
  readonly hostnames?: readonly string[]
  /** The widget's `action` that a token must be of. Default: any. */
  readonly action?: string
  /** How long verifying may take; then the challenge counts as not passed. Default `'2 s'`. */
  readonly timeout?: Duration
  /** Where tokens are verified. Default Cloudflare's. */
  readonly siteverify?: string
  readonly proxies?: TrustedProxies
}

const SITEVERIFY = 'https://challenges.cloudflare.com/turnstile/v0/siteverify'

/** Attempts of one address in one isolate: each costs a request of ours. */
const ATTEMPTS = compilePolicy('turnstile', { quota: 20, window: '1 m', algorithm: 'token-bucket' })

/**
 * Cloudflare Turnstile as the `challenge` of `rateLimit`: whoever is over a limit, or on the list `challenge`, gets 403
 * `challenge-required` with the member `challenge: { type: 'turnstile', sitekey, header }`, solves the widget, and sends
 * the request again with the token. A token serves for one request, since Cloudflare accepts it once; other policies
 * of the request are decided as ever.
 *
 * A token that cannot be verified, because Turnstile does not answer say, does not lift anything.
 * @throws TypeError when a key is missing.
 */
export function turnstile(options: TurnstileOptions): Challenge {
  const { sitekey, secret, header = 'cf-turnstile-response', hostnames, action } = options
  const { siteverify = SITEVERIFY, policies } = options
  if (!sitekey || !secret) throw new TypeError('turnstile needs the sitekey and the secret of a widget')
  const timeout = milliseconds(options.timeout ?? '2 s')
  const addressOf = clientAddress(options.proxies)
  const attempts = memory({ maxKeys: 5000 })

  return {
    demand: { type: 'turnstile', sitekey, header },
    ...(policies && { policies }),
    async passed(c) {
      const token = c.req.header(header)
      // What is longer than Cloudflare makes them is no token.
      if (!token || token.length > 2048) return false
      const { quota, burst } = ATTEMPTS
      const [attempt] = await attempts.take([{ policy: ATTEMPTS, key: byAddress(c), cost: 1, quota, burst }])
      if (!attempt?.allowed) return false
      const address = addressOf(c)
      try {
        const reply = await fetch(siteverify, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            secret,
            response: token,
            ...(address !== undefined && { remoteip: address }),
          }),
          signal: AbortSignal.timeout(timeout),
        })
        const said = (await reply.json()) as { success?: unknown; hostname?: unknown; action?: unknown }
        return (
          said.success === true &&
          (hostnames === undefined || hostnames.includes(String(said.hostname))) &&
          (action === undefined || said.action === action)
        )
      } catch {
        return false
      }
    },
  }
}
