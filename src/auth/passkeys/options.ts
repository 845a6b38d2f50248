import type { Context } from 'hono'
import { type AuthInternals, type AuthSource, insideOf } from '../auth.ts'
import type { AuthConfig } from '../config.ts'
import { type WebAuthnVerifier, webauthn } from './webauthn.ts'

/** Options of `passkeyRoutes`. */
export interface PasskeyOptions {
  /**
   * The domain that passkeys are for: the origin's host or a domain above it. Whoever changes it loses every passkey.
   * Default: the host of `app.origin`; `localhost` where that is a loopback address, which has no passkeys.
   */
  readonly rpId?: string
  /** What browsers and password managers show. Default: `app.name`. */
  readonly rpName?: string
  /** More origins whose pages, or apps (`android:apk-key-hash:…`), may use them. Default: that of `app.origin` alone. */
  readonly origins?: readonly string[]
  /** Passkeys of one person. Default 20. */
  readonly perUser?: number
  /**
   * Checks what authenticators say. Default: the checks of WebAuthn Level 3 without attestation. One of your own
   * may ask which make an authenticator is.
   */
  readonly verifier?: WebAuthnVerifier
}

/** {@link PasskeyOptions}, checked and with their defaults. */
export interface PasskeyConfig {
  readonly rpId: string
  readonly rpName: string
  readonly origins: readonly string[]
  readonly perUser: number
  readonly verifier: WebAuthnVerifier
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new TypeError(`passkeyRoutes: ${message}`)
}

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|\[::1\])$/

/** Browsers have no passkeys for a bare address; `localhost` is the name of the same machine. */
function namedOrigin(origin: string): string {
  const url = new URL(origin)
  if (LOOPBACK.test(url.hostname)) url.hostname = 'localhost'
  return url.origin
}

/**
 * Checks options and fills in defaults.
 * @throws TypeError when one is wrong
 */
export function resolvePasskeys(options: PasskeyOptions, { app }: AuthConfig): PasskeyConfig {
  const { perUser = 20, rpName = app.name, verifier = webauthn } = options
  const origins = [namedOrigin(app.origin), ...(options.origins ?? [])]
  const rpId = options.rpId ?? new URL(namedOrigin(app.origin)).hostname
  check(Number.isInteger(perUser) && perUser >= 1 && perUser <= 100, 'perUser must be from 1 to 100')
  check(/^(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*$/.test(rpId), 'rpId must be a domain, in lower case')
  for (const origin of origins) {
    const url = URL.parse(origin)
    check(url !== null, 'each origin must be one')
    if (!/^https?:$/.test(url.protocol)) continue
    check(url.origin === origin, 'an origin is a scheme, a host and a port')
    check(
      url.hostname === rpId || url.hostname.endsWith(`.${rpId}`),
      'rpId must be the host of each origin, or above it',
    )
    const safe = url.protocol === 'https:' || /(?:^|\.)localhost$/.test(url.hostname)
    check(safe, 'browsers have passkeys over https only, and at localhost')
  }
  return { rpId, rpName, origins, perUser, verifier }
}

/** What a request has to do with. */
export interface PasskeyInternals extends AuthInternals {
  readonly passkeys: PasskeyConfig
}

/**
 * How a request comes by its configuration. Wrong options throw at once where `source` is what `createAuth` made, and
 * at the first request where it is a function.
 */
export function passkeyInternals(
  source: AuthSource,
  options: PasskeyOptions,
): (c: Context) => PasskeyInternals {
  const made = new WeakMap<AuthConfig, PasskeyConfig>()
  const of = (internals: AuthInternals): PasskeyInternals => {
    const { config } = internals
    const passkeys = made.get(config) ?? resolvePasskeys(options, config)
    made.set(config, passkeys)
    return { ...internals, passkeys }
  }
  if (typeof source !== 'function') {
    const found = of(insideOf(source))
    return () => found
  }
  return (c) => of(insideOf(source(c)))
}
