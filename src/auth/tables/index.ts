/**
 * The Drizzle tables of accounts and sessions, for an application's own queries and foreign keys. Apart from
 * `breakwater/auth`, which asks without them.
 * @module
 */
export { identities } from '../openid/schema.ts'
export { passkeys, spentChallenges } from '../passkeys/schema.ts'
export {
  apiKeys,
  authEvents,
  recoveryCodes,
  sessions,
  totpFactors,
  users,
  verificationTokens,
} from '../schema.ts'
