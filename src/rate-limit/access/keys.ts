import type { Context } from 'hono'
import { routePath } from 'hono/route'
import { addressNetwork, byAddress } from '../address.ts'
import type { KeyOf } from '../policy.ts'
import { clientAddress, type TrustedProxies } from './proxies.ts'

/** A key, or a part of one. Undefined when the request has no such thing. */
export type KeyPart = (c: Context) => string | undefined | Promise<string | undefined>

/** The id of what another middleware put on the context. */
function idOf(c: Context, variable: string): string | undefined {
  const value: unknown = c.get(variable)
  const id = typeof value === 'object' && value !== null ? (value as { id?: unknown }).id : value
  return typeof id === 'string' && id !== '' ? id : undefined
}

/** Whose quota it is: keys for a policy's or a limit's `key`. Each begins with its kind, so that no two kinds meet. */
export const by: {
  /** The client's network; behind other proxies than Cloudflare, what the trusted ones say it is. */
  address(proxies?: TrustedProxies): KeyOf
  /** The id of `c.var.user`, or of another variable. Known once the session is: decide `late`. */
  account(variable?: string): KeyOf
  /** The id of `c.var.session`, or of another variable. Known once the session is: decide `late`. */
  session(variable?: string): KeyOf
  /** The value of a header that carries an API key: `Authorization` unless another is named. Known early. */
  apiKey(header?: string): KeyOf
  /** Whatever tells whose tenant it is: a part of the host, a parameter, an account's. */
  tenant(of: KeyPart): KeyOf
  /** The route, as it was registered: one quota for all its callers together. */
  route(): KeyOf
  /** All of these together. Where one is not known, the caller's address stands in for it. */
  mix(...keys: readonly [KeyOf, KeyOf, ...KeyOf[]]): KeyOf
} = {
  address(proxies) {
    const addressOf = clientAddress(proxies)
    return (c) => {
      const address = addressOf(c)
      return `ip:${(address !== undefined && addressNetwork(address)) || 'unknown'}`
    }
  },
  account: (variable = 'user') => named('account', (c) => idOf(c, variable)),
  session: (variable = 'session') => named('session', (c) => idOf(c, variable)),
  apiKey: (header = 'authorization') => named('key', (c) => c.req.header(header)),
  tenant: (of) => named('tenant', of),
  route: () => named('route', (c) => `${c.req.method} ${routePath(c, -1)}`),
  mix: (...keys) => {
    // The length before each part keeps ("a", "bc") and ("ab", "c") apart.
    const join = (c: Context, parts: readonly (string | undefined)[]) =>
      parts
        .map((part) => part || byAddress(c))
        .map((part) => `${part.length}:${part}`)
        .join('')
    return (c) => {
      const parts = keys.map((key) => key(c))
      return parts.some((part) => part instanceof Promise)
        ? Promise.all(parts).then((all) => join(c, all))
        : join(c, parts as (string | undefined)[])
    }
  },
}

function named(kind: string, of: KeyPart): KeyOf {
  const name = (value: string | undefined) => (value ? `${kind}:${value}` : undefined)
  return (c) => {
    const value = of(c)
    return value instanceof Promise ? value.then(name) : name(value)
  }
}
