/**
 * Accounts and sessions: sign-up, sign-in, sessions on many devices that end when they must, passwords and
 * their reset.
 * @module
 */
export { type Auth, type AuthSource, createAuth } from './auth.ts'
export { type PwnedPasswordsOptions, pwnedPasswords } from './breached.ts'
export type { AuthDatabase, AuthEvent, Executor } from './database.ts'
export { deferSession, isDeferred } from './defer-session.ts'
export { type Argon2idOptions, argon2id } from './hashers/argon2id.ts'
export type { GateOptions } from './hashers/gate.ts'
export type { PasswordHasher } from './hashers/hasher.ts'
export { type ScryptOptions, scrypt } from './hashers/scrypt.ts'
export type { AfterEvent, AuthHooks, BeforeEvent } from './hooks.ts'
export type { Secrets } from './mail-token.ts'
export { AUTH_MAIL_JOB, type AuthMail } from './mailing.ts'
export { defaultMails, type MailContent, type MailData, type MailKind, type MailTemplates } from './mails.ts'
export {
  type AuthEnv,
  type RequireFreshOptions,
  requireCan,
  requireFresh,
  requireRole,
  requireUser,
  type SessionHandler,
  type SignedInEnv,
  session,
} from './middleware.ts'
export type { AuthApp, AuthOptions, SessionCacheOptions, SessionOptions, TokenOptions } from './options.ts'
export type { PasswordFault } from './password-policy.ts'
export { type RedisRevocationsOptions, type Revocations, redisRevocations } from './revocations.ts'
export { authRoutes } from './routes.ts'
export type {
  AuthSchema,
  IdentityJson,
  SecondFactorJson,
  SessionJson,
  TokensJson,
  UserJson,
} from './routes-schema.ts'
export type { Identity, Session, User } from './session-store.ts'
