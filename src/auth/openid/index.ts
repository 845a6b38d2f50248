/**
 * Signing in with accounts elsewhere: OpenID Connect.
 * @module
 */
export type { OpenIdOptions, OpenIdProvider, OpenIdTokens } from './options.ts'
export { openidRoutes } from './routes.ts'
export type { LinkedIdentityJson, OpenIdSchema, ProviderJson } from './routes-schema.ts'
