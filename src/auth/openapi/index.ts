/**
 * The endpoints of accounts and sessions as an OpenAPI 3.1 document. Apart from `breakwater/auth`, so that only who
 * serves the document carries it.
 * @module
 */
export {
  type AuthOpenApiOptions,
  authOpenApi,
  type OpenApiDocument,
  type OpenApiOperation,
} from './document.ts'
export type { JsonSchema } from './schema.ts'
