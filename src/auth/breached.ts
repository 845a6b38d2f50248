import { toBytes, toHex } from '../core/bytes.ts'

/** Options of {@link pwnedPasswords}. */
export interface PwnedPasswordsOptions {
  /** Base of the range API. Default `https://api.pwnedpasswords.com/range/`. */
  readonly endpoint?: string
  /** Milliseconds to wait for an answer. Default 1,000. */
  readonly timeout?: number
}

/**
 * Asks Have I Been Pwned whether a password has leaked, by k-anonymity: the first five digits of its SHA-1 go
 * out, and the answer is padded, so that neither the service nor whoever watches the line learns which one it was.
 * Rejects when there is no answer in time.
 */
export function pwnedPasswords(options: PwnedPasswordsOptions = {}): (password: string) => Promise<boolean> {
  const { endpoint = 'https://api.pwnedpasswords.com/range/', timeout = 1000 } = options
  if (URL.parse(endpoint) === null) throw new TypeError('pwnedPasswords: endpoint must be a URL')
  const base = endpoint.endsWith('/') ? endpoint : `${endpoint}/`
  return async function pwned(password) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', toBytes(password)))
    const hex = toHex(digest).toUpperCase()
    const reply = await fetch(base + hex.slice(0, 5), {
      headers: { 'Add-Padding': 'true' },
      signal: AbortSignal.timeout(timeout),
    })
    const text = await reply.text()
    if (!reply.ok) throw new Error(`The range service answered ${reply.status}`)
    // Padding has a count of zero.
    return text.split('\n').some((line) => {
      const [suffix, count] = line.trim().split(':')
      return suffix === hex.slice(5) && Number(count) > 0
    })
  }
}
