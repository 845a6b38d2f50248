import * as oauth from 'oauth4webapi'
import { isBreakwaterError } from '../../core/index.ts'
import { createFetch } from '../../fetch/index.ts'
import { calledOff, misconfigured, notBelieved, providerDown, startAgain } from './errors.ts'
import type { ProviderConfig } from './options.ts'
import type { Transaction } from './transaction.ts'

/** What a provider said about a person, verified. */
export interface Claims {
  readonly issuer: string
  readonly subject: string
  /** When they proved who they are, in milliseconds since the epoch, where the provider says so. */
  readonly authenticatedAt: number | undefined
}

/** A sign-in at a provider that worked. */
export interface Exchanged {
  readonly claims: Claims
  /** The person's mail address, where the provider says that it has verified it. May ask the provider. */
  verifiedMail(): Promise<string | undefined>
  readonly tokens: oauth.TokenEndpointResponse
}

/** One provider: its metadata, and what is asked of it. */
export interface ProviderClient {
  readonly provider: ProviderConfig
  /** Where the browser goes. @throws BreakwaterError `dependency-unavailable` */
  authorizationUrl(transaction: Transaction, redirectUri: string): Promise<URL>
  /**
   * Checks what the browser came back with, and what the provider gives for it.
   * @throws BreakwaterError `invalid-token`, `invalid-credentials`, `forbidden`, `dependency-unavailable`, `misconfigured`
   */
  exchange(transaction: Transaction, parameters: URLSearchParams, redirectUri: string): Promise<Exchanged>
}

const METADATA_MS = 60 * 60_000
/** How old what is known of a provider may be when it cannot be asked. */
const STALE_MS = 24 * METADATA_MS
/** How long ago somebody who was asked to sign in again may have done it. */
const AGAIN_SECONDS = 60

/** Of what went wrong, what names no person and no token: these errors carry whole replies. */
function nameOf(error: unknown): Error {
  const { name, message, code } = error as { name?: unknown; message?: unknown; code?: unknown }
  return new Error(`${String(name)}: ${String(message)} (${String(code)})`)
}

/** What an error of the protocol means to who is signing in. */
function meaning(error: unknown): unknown {
  if (isBreakwaterError(error)) {
    // Whether the provider took the code before the line broke makes no difference: one starts again.
    const out = error.code === 'dependency-unavailable' || error.code === 'outcome-unknown'
    return out && error.headers['Retry-After'] === undefined ? providerDown(error) : error
  }
  if (error instanceof oauth.AuthorizationResponseError) {
    if (error.error === 'access_denied') return calledOff()
    const again = ['login_required', 'interaction_required', 'consent_required', 'account_selection_required']
    if (again.includes(error.error)) return startAgain(nameOf(error))
    const out = ['server_error', 'temporarily_unavailable'].includes(error.error)
    return out ? providerDown(nameOf(error)) : misconfigured(new Error(`The provider answers ${error.error}`))
  }
  if (error instanceof oauth.ResponseBodyError) {
    // A code that was used, is too old, or belongs to another sign-in.
    if (error.error === 'invalid_grant') return startAgain(nameOf(error))
    return misconfigured(new Error(`The provider answers ${error.error}`))
  }
  if (error instanceof oauth.WWWAuthenticateChallengeError) return misconfigured(nameOf(error))
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    return notBelieved(nameOf(error))
  }
  return error
}

async function meant<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw meaning(error)
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** Makes the client of one provider. Holds results only, never a promise of another request. */
export function createProvider(provider: ProviderConfig, call: typeof fetch | undefined): ProviderClient {
  const { issuer, clientId, clientSecret, insecure } = provider
  const guarded = createFetch({ timeout: '8 s', name: `openid@${issuer.host}`, ...(call && { fetch: call }) })
  const client: oauth.Client = { client_id: clientId }
  const jwks: oauth.JWKSCacheInput = {}
  let known: { readonly metadata: oauth.AuthorizationServer; readonly at: number } | undefined

  /**
   * Options of one call. The function is a new one each time: the library would let calls with the same one wait for
   * each other's requests, and in Workers a request must not wait for what another one began.
   */
  const options = () => ({
    [oauth.customFetch]: async (url: string, init: unknown): Promise<Response> => {
      const response = await guarded(url, init as RequestInit)
      if (response.status < 500 && response.status !== 429) return response
      await response.body?.cancel()
      throw providerDown(new Error(`${issuer.host} answers ${response.status}`))
    },
    [oauth.allowInsecureRequests]: insecure,
    [oauth.jwksCache]: jwks,
  })

  async function metadata(): Promise<oauth.AuthorizationServer> {
    const age = known === undefined ? Number.POSITIVE_INFINITY : Date.now() - known.at
    if (known !== undefined && age < METADATA_MS) return known.metadata
    try {
      const response = await oauth.discoveryRequest(issuer, { ...options(), algorithm: 'oidc' })
      const found = await oauth.processDiscoveryResponse(issuer, response)
      known = { metadata: found, at: Date.now() }
      return found
    } catch (error) {
      if (known !== undefined && age < STALE_MS) return known.metadata
      throw isBreakwaterError(error) ? error : misconfigured(nameOf(error))
    }
  }

  /** Which way the secret travels: in the header unless the provider takes only the body. */
  function authentication(server: oauth.AuthorizationServer): oauth.ClientAuth {
    if (clientSecret === undefined) return oauth.None()
    const methods = server.token_endpoint_auth_methods_supported
    const basic = methods === undefined || methods.includes('client_secret_basic')
    return basic ? oauth.ClientSecretBasic(clientSecret) : oauth.ClientSecretPost(clientSecret)
  }

  /** Where the ID token does not say, the UserInfo endpoint may (OpenID Connect Core, section 5.4). */
  async function mailOf(
    server: oauth.AuthorizationServer,
    id: oauth.IDToken,
    accessToken: string,
  ): Promise<string | undefined> {
    let claims: Readonly<Record<string, unknown>> = id
    if (claims['email'] === undefined && server.userinfo_endpoint !== undefined) {
      const response = await oauth.userInfoRequest(server, client, accessToken, options())
      claims = await oauth.processUserInfoResponse(server, client, id.sub, response)
    }
    // Some write it as a text.
    return ['true', true].includes(claims['email_verified'] as string) ? textOf(claims['email']) : undefined
  }

  return {
    provider,

    authorizationUrl: (transaction, redirectUri) =>
      meant(async () => {
        const server = await metadata()
        if (server.authorization_endpoint === undefined) throw misconfigured('no authorization endpoint')
        const url = new URL(server.authorization_endpoint)
        const parameters = {
          client_id: clientId,
          redirect_uri: redirectUri,
          response_type: 'code',
          scope: provider.scope,
          state: transaction.state,
          nonce: transaction.nonce,
          code_challenge: await oauth.calculatePKCECodeChallenge(transaction.verifier),
          code_challenge_method: 'S256',
          ...(transaction.again && { prompt: 'login', max_age: '0' }),
        }
        for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
        return url
      }),

    exchange: (transaction, parameters, redirectUri) =>
      meant(async () => {
        const server = await metadata()
        // Also RFC 9207: who sent it is who was asked.
        const checked = oauth.validateAuthResponse(server, client, parameters, transaction.state)
        const response = await oauth.authorizationCodeGrantRequest(
          server,
          client,
          authentication(server),
          checked,
          redirectUri,
          transaction.verifier,
          options(),
        )
        const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
          expectedNonce: transaction.nonce,
          requireIdToken: true,
          ...(transaction.again && { maxAge: AGAIN_SECONDS }),
        })
        await oauth.validateApplicationLevelSignature(server, response, options())
        const id = oauth.getValidatedIdTokenClaims(tokens)
        if (id === undefined) throw notBelieved(new Error('There is no ID token'))
        const authenticatedAt = id.auth_time === undefined ? undefined : id.auth_time * 1000
        return {
          tokens,
          claims: { issuer: id.iss, subject: id.sub, authenticatedAt },
          verifiedMail: () => meant(() => mailOf(server, id, tokens.access_token)),
        }
      }),
  }
}
