/**
 * The Drizzle tables of accounts and sessions, for an application's own queries and foreign keys. Apart from
 * `breakwater/auth`, which asks without them.
 * @module
 */
export {
  apiKeys,
  authEvents,
  recoveryCodes,
  sessions,
  totpFactors,
  users,
  verificationTokens,
} from '../schema.ts'
