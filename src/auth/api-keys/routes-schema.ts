import type { Body, Empty, Json } from '../routes-schema.ts'
import type { ApiKey } from './store.ts'

/** An API key without the key, as JSON. Times are RFC 3339. */
export interface ApiKeyJson<Scope extends string = string> {
  id: string
  name: string
  /** How the key begins, such as `bwk_3fZ9`. */
  start: string
  scopes: Scope[]
  createdAt: string
  /** To within an hour. */
  lastUsedAt: string | null
  expiresAt: string | null
  revokedAt: string | null
}

/** The endpoints of `apiKeyRoutes`, as `hc` knows them. */
export type ApiKeySchema<Scope extends string = string> = {
  '/': {
    $get: Json<object, { apiKeys: ApiKeyJson<Scope>[] }, 200>
    $post: Json<
      Body<{ name: string; scopes: Scope[]; expiresAt?: string | undefined }>,
      { key: string; apiKey: ApiKeyJson<Scope> },
      201
    >
  }
  '/:id': { $delete: Empty<{ param: { id: string } }> }
}

/** An API key as JSON. */
export function keyJson(key: ApiKey): ApiKeyJson {
  const { id, name, start, scopes, createdAt } = key
  return {
    id,
    name,
    start,
    scopes: [...scopes],
    createdAt: createdAt.toISOString(),
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
    expiresAt: key.expiresAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
  }
}
