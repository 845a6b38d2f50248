/**
 * Passkeys: signing in without a password, and a second factor beside one.
 * @module
 */
export type { CreationOptions } from './manage.ts'
export type { PasskeyOptions } from './options.ts'
export { passkeyRoutes } from './routes.ts'
export type { PasskeyJson, PasskeySchema } from './routes-schema.ts'
export type { CredentialDescriptor } from './stored.ts'
export type { RequestOptions } from './use.ts'
export type {
  AssertionResponse,
  Expected,
  NewCredential,
  RegistrationResponse,
  VerifiedAssertion,
  WebAuthnVerifier,
} from './webauthn.ts'
