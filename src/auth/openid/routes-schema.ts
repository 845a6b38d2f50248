import type { IdentityJson } from '../routes-schema.ts'
import type { LinkedIdentity } from './manage.ts'

/** A provider to sign in with, as JSON. */
export interface ProviderJson {
  id: string
  name: string
}

/** An account elsewhere that opens one here, as JSON. Times are RFC 3339. */
export interface LinkedIdentityJson {
  id: string
  /** The provider's id here; null when it is no longer configured. */
  provider: string | null
  issuer: string
  createdAt: string
  lastUsedAt: string | null
}

/** An identity as JSON. */
export function identityJson(identity: LinkedIdentity, provider: string | undefined): LinkedIdentityJson {
  const { id, issuer, createdAt, lastUsedAt } = identity
  return {
    id,
    provider: provider ?? null,
    issuer,
    createdAt: createdAt.toISOString(),
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
  }
}

type Json<Input, Output, Status extends number> = {
  input: Input
  output: Output
  outputFormat: 'json'
  status: Status
}
type ById = { param: { id: string } }
type Start = ById & { json: { returnTo?: string | undefined; again?: boolean | undefined } }

/** The endpoints of `openidRoutes`, as `hc` knows them. */
export type OpenIdSchema = {
  '/': { $get: Json<object, { providers: ProviderJson[] }, 200> }
  '/identities': { $get: Json<object, { identities: LinkedIdentityJson[] }, 200> }
  '/identities/:id': { $delete: Json<ById, IdentityJson, 200> }
  '/:id/start': { $post: Json<Start, { url: string }, 200> }
  '/:id/link': { $post: Json<Start, { url: string }, 200> }
}
