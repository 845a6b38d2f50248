/**
 * A stand-in for Sentry that shows what was captured.
 * @module
 */
export { createSentryApp, type SentryAppOptions } from './app.ts'
export type { CapturedRecord } from './record.ts'
