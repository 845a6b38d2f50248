/**
 * API keys: for programs that act for somebody. Hashed, scoped, ending, with a prefix and a checksum that tell one
 * from anything else without asking.
 * @module
 */
export {
  type ApiKeys,
  type ApiKeysOptions,
  type AskedBy,
  createApiKeys,
  type KeyRequest,
  type MadeKey,
} from './api-keys.ts'
export { KEY_PREFIX } from './key.ts'
export { type RequireScopeOptions, requireScope, type ScopedEnv } from './middleware.ts'
export { apiKeyRoutes } from './routes.ts'
export type { ApiKeyJson, ApiKeySchema } from './routes-schema.ts'
export type { ApiKey, KeyIdentity } from './store.ts'
