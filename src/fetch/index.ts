/**
 * Calls to other services that cannot take a request down with them.
 * @module
 */
export { createFetch, type FetchOptions } from './create-fetch.ts'
