import type { IdentityJson } from '../routes-schema.ts'
import type { CreationOptions } from './manage.ts'
import type { Passkey } from './stored.ts'
import type { RequestOptions } from './use.ts'
import type { AssertionResponse, RegistrationResponse } from './webauthn.ts'

/** A passkey, as JSON. Times are RFC 3339. */
export interface PasskeyJson {
  id: string
  name: string
  createdAt: string
  lastUsedAt: string | null
  /** Whether it is kept in step with the owner's other devices. */
  backedUp: boolean
  /** The authenticator's model; all zeros where it does not say. */
  aaguid: string
  transports: string[]
}

/** A passkey as JSON. */
export function passkeyJson(passkey: Passkey): PasskeyJson {
  const { id, name, createdAt, lastUsedAt, backedUp, aaguid, transports } = passkey
  return {
    id,
    name,
    createdAt: createdAt.toISOString(),
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
    backedUp,
    aaguid,
    transports: [...transports],
  }
}

type Json<Input, Output, Status extends number> = {
  input: Input
  output: Output
  outputFormat: 'json'
  status: Status
}
type Body<T> = { json: T }
type ById = { param: { id: string } }
type Travelling = { transport?: 'cookie' | 'token' | undefined }

/** The endpoints of `passkeyRoutes`, as `hc` knows them. */
export type PasskeySchema = {
  '/': { $get: Json<object, { passkeys: PasskeyJson[] }, 200> }
  '/register/options': { $post: Json<object, CreationOptions, 200> }
  '/register': {
    $post: Json<
      Body<{ credential: RegistrationResponse; name?: string | undefined }>,
      IdentityJson & { passkey: PasskeyJson; recoveryCodes?: string[] },
      200
    >
  }
  '/sign-in/options': { $post: Json<Body<Travelling>, RequestOptions, 200> }
  '/sign-in': { $post: Json<Body<{ credential: AssertionResponse } & Travelling>, IdentityJson, 200> }
  '/second-factor/options': { $post: Json<Body<{ challenge: string }>, RequestOptions, 200> }
  '/second-factor': {
    $post: Json<Body<{ challenge: string; credential: AssertionResponse }>, IdentityJson, 200>
  }
  '/:id': {
    $patch: Json<ById & Body<{ name: string }>, PasskeyJson, 200>
    $delete: Json<ById, IdentityJson, 200>
  }
}
