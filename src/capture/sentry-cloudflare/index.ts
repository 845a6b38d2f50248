/**
 * Events read by Sentry's own client for Cloudflare, for those who have it anyway. What is gathered, masked and sent stays
 * with `breakwater/capture`. Needs the optional peer `@sentry/cloudflare`.
 * @module
 */
export { sentryCloudflare } from './adapter.ts'
