/**
 * A stand-in for Upstash Redis.
 * @module
 */
export { createUpstashApp, type UpstashAppOptions } from './app.ts'
