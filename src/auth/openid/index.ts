/**
 * Signing in by accounts elsewhere: OpenID Connect.
 * @module
 */
export { identities } from './schema.ts'
