/**
 * A stand-in for Resend and Postmark that shows what was sent.
 * @module
 */
export { createMailboxApp, type MailboxAppOptions } from './app.ts'
export type { StoredMail } from './message.ts'
