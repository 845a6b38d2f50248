/**
 * Secure defaults: header fields, CORS, CSRF, body limits, time budgets.
 * @module
 */
export { type BodyLimitOptions, bodyLimit } from './body-limit.ts'
export { CORS_EXPOSED_HEADERS, CORS_REQUEST_HEADERS, type CorsOptions, cors } from './cors.ts'
export { type CsrfOptions, csrf } from './csrf.ts'
export {
  CSP_DEFAULTS,
  PERMISSIONS_DEFAULTS,
  type SecureEnv,
  type SecureHeadersOptions,
  secureHeaders,
} from './headers.ts'
export type { Origins } from './origins.ts'
export { type SecureOptions, secure } from './secure.ts'
export { timeBudget } from './time-budget.ts'
