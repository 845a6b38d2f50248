import type { AuthConfig } from '../config.ts'

/** An OpenID provider, and how this application is known to it. */
export interface OpenIdProvider {
  /** In paths: lower-case letters, digits and hyphens, such as `google`. */
  readonly id: string
  /** What people read. Default: `id`. */
  readonly name?: string
  /** Its issuer identifier, below which `/.well-known/openid-configuration` is; exactly as the provider writes it. */
  readonly issuer: string
  readonly clientId: string
  /** Left out for a public client, which proves itself by PKCE alone. */
  readonly clientSecret?: string
  /** Space-separated. Default `openid email`. */
  readonly scope?: string
  /** Whether somebody who has no account may get one by signing in. Default true. */
  readonly signUp?: boolean
}

/** What a provider gave for a sign-in, for applications that call its APIs. */
export interface OpenIdTokens {
  readonly userId: string
  readonly provider: string
  readonly accessToken: string
  /** Seconds. */
  readonly expiresIn: number | undefined
  readonly refreshToken: string | undefined
  readonly scope: string | undefined
}

/** Options of `openidRoutes`. */
export interface OpenIdOptions {
  readonly providers: readonly OpenIdProvider[]
  /**
   * Where the routes are mounted. With `app.origin` in front and `/<id>/callback` behind, it is the redirect URI that
   * providers must know. Default `/auth/openid`.
   */
  readonly path?: string
  /** The page that asks for a second factor; it takes `challenge` and `methods` out of its fragment. Default `/second-factor`. */
  readonly secondFactorPath?: string
  /**
   * The page that is shown when a sign-in fails, with `error` (a code of a `BreakwaterError`) and `provider` in its
   * query. Default: none; the reply is a problem document.
   */
  readonly errorPath?: string
  /** Given what the provider gave, to keep or not. Default: nothing is kept. What it throws fails the sign-in. */
  readonly onTokens?: (tokens: OpenIdTokens) => void | Promise<void>
  /** Calls providers. Default: the platform's `fetch`. Deadlines and a circuit breaker come on top. */
  readonly fetch?: typeof fetch
}

/** {@link OpenIdProvider}, checked and with its defaults. */
export interface ProviderConfig {
  readonly id: string
  readonly name: string
  readonly issuer: URL
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly scope: string
  readonly signUp: boolean
  /** Whether it may be called without TLS: on this machine only. */
  readonly insecure: boolean
}

/** {@link OpenIdOptions}, checked and with their defaults. */
export interface OpenIdConfig {
  readonly providers: ReadonlyMap<string, ProviderConfig>
  readonly path: string
  readonly secondFactorPath: string
  readonly errorPath: string | undefined
  readonly onTokens: OpenIdOptions['onTokens']
  readonly fetch: typeof fetch | undefined
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new TypeError(`openidRoutes: ${message}`)
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/
const PATH = /^(?:\/[A-Za-z0-9._~-]+)+$/

function resolveProvider(provider: OpenIdProvider): ProviderConfig {
  const { id, name = id, issuer, clientId, clientSecret, scope = 'openid email', signUp = true } = provider
  check(/^[a-z0-9-]{1,32}$/.test(id), 'the id of a provider has lower-case letters, digits and hyphens')
  check(id !== 'identities', '"identities" is a path of its own')
  const url = URL.parse(issuer)
  check(url !== null && url.search === '' && url.hash === '', `${id}: issuer must be a URL without a query`)
  const insecure = url.protocol === 'http:' && LOOPBACK.test(url.hostname)
  check(url.protocol === 'https:' || insecure, `${id}: issuer must be https`)
  check(clientId !== '' && clientSecret !== '', `${id}: clientId and clientSecret must not be empty`)
  check(scope.split(' ').includes('openid'), `${id}: scope must have openid`)
  return { id, name, issuer: url, clientId, clientSecret, scope, signUp, insecure }
}

/**
 * Checks options and fills in defaults.
 * @throws TypeError when one is wrong
 */
export function resolveOpenId(options: OpenIdOptions): OpenIdConfig {
  const { path = '/auth/openid', secondFactorPath = '/second-factor', errorPath } = options
  const providers = options.providers.map(resolveProvider)
  const byId = new Map(providers.map((provider) => [provider.id, provider]))
  check(byId.size === providers.length, 'each provider needs an id of its own')
  for (const each of [path, secondFactorPath, errorPath ?? path]) {
    check(PATH.test(each), 'paths begin with / and have neither query nor fragment')
  }
  return {
    providers: byId,
    path,
    secondFactorPath,
    errorPath,
    onTokens: options.onTokens,
    fetch: options.fetch,
  }
}

/** Where a provider sends people back to. */
export const redirectUri = ({ app }: AuthConfig, { path }: OpenIdConfig, { id }: ProviderConfig): string =>
  `${app.origin}${path}/${id}/callback`
