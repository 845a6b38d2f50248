/**
 * The browser's side. Imports nothing that needs a server.
 * @module
 */
export { retryAfter } from './retry-after.ts'
export { type RetryingFetchOptions, retryingFetch } from './retrying-fetch.ts'
