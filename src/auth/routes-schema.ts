import type { Session, User } from './session-store.ts'

/** A person, as JSON. */
export interface UserJson {
  id: string
  email: string
  /** RFC 3339. */
  createdAt: string
  roles: string[]
}

/** A session, as JSON. Times are RFC 3339. */
export interface SessionJson {
  id: string
  createdAt: string
  authenticatedAt: string
  lastUsedAt: string
  expiresAt: string
  /** Such as `Firefox on Windows`. */
  device: string | null
  country: string | null
  city: string | null
  transport: 'cookie' | 'token'
  /** How the person proved who they are, such as `['password', 'totp']`. */
  methods: string[]
}

/** What a native app keeps, as JSON. */
export interface TokensJson {
  /** Goes into `Authorization: Bearer …`. */
  accessToken: string
  /** Goes to `/token/refresh`, which gives the next one. */
  refreshToken: string
  tokenType: 'Bearer'
  /** Seconds that the access token lasts. */
  expiresIn: number
}

/** A right password where a second factor is due, as JSON. */
export interface SecondFactorJson {
  status: 'mfa-required'
  /** Goes to `/sign-in/second-factor`, with a code, or to the endpoints of passkeys, within five minutes. */
  challenge: string
  methods: ('passkey' | 'totp' | 'recovery-code')[]
}

/** Whose session it is, as JSON. */
export interface IdentityJson {
  user: UserJson
  session: SessionJson
  /** Where the session travels by token. */
  tokens?: TokensJson
}

/** A person as JSON. */
export function userJson(user: User): UserJson {
  const { id, email, createdAt, roles } = user
  return { id, email, createdAt: createdAt.toISOString(), roles: [...roles] }
}

/** A session as JSON. */
export function sessionJson(session: Session): SessionJson {
  const { id, createdAt, authenticatedAt, lastUsedAt, expiresAt, device, country, city } = session
  return {
    id,
    createdAt: createdAt.toISOString(),
    authenticatedAt: authenticatedAt.toISOString(),
    lastUsedAt: lastUsedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    device,
    country,
    city,
    transport: session.transport,
    methods: [...session.methods],
  }
}

/** An endpoint that answers with JSON. */
export type Json<Input, Output, Status extends number> = {
  input: Input
  output: Output
  outputFormat: 'json'
  status: Status
}
/** An endpoint that answers with nothing. */
export type Empty<Input> = { input: Input; output: null; outputFormat: 'body'; status: 204 }
/** What an endpoint takes. */
export type Body<T> = { json: T }
type Credentials = { email: string; password: string; transport?: 'cookie' | 'token' | undefined }

/** The endpoints of `authRoutes`, as `hc` knows them. */
export type AuthSchema = {
  '/sign-up': {
    $post: Json<Body<{ email: string; password: string }>, { status: 'check-your-mail' }, 202>
  }
  '/verify-mail': { $post: Json<Body<{ token: string }>, { status: 'verified' }, 200> }
  '/sign-in': {
    $post: Json<Body<Credentials>, IdentityJson, 200> | Json<Body<Credentials>, SecondFactorJson, 202>
  }
  '/sign-in/second-factor': { $post: Json<Body<{ challenge: string; code: string }>, IdentityJson, 200> }
  '/sign-out': { $post: Empty<object> }
  '/sign-out-everywhere': { $post: Json<object, { ended: number }, 200> }
  '/session': {
    $get: Json<object, { user: null; session: null }, 200> | Json<object, IdentityJson, 200>
  }
  '/sessions': { $get: Json<object, { sessions: (SessionJson & { current: boolean })[] }, 200> }
  '/sessions/:id': { $delete: Empty<{ param: { id: string } }> }
  '/token/refresh': {
    $post: Json<Body<{ refreshToken: string }>, IdentityJson & { tokens: TokensJson }, 200>
  }
  '/token/revoke': { $post: Empty<Body<{ refreshToken: string }>> }
  '/password/change': {
    $post: Json<Body<{ currentPassword: string; newPassword: string }>, IdentityJson, 200>
  }
  '/password/forgot': { $post: Json<Body<{ email: string }>, { status: 'check-your-mail' }, 202> }
  '/password/reset': {
    $post: Json<Body<{ token: string; newPassword: string }>, { status: 'password-changed' }, 200>
  }
  '/second-factor': { $get: Json<object, { totp: boolean; recoveryCodes: number }, 200> }
  '/second-factor/totp/enrol': { $post: Json<object, { secret: string; uri: string }, 200> }
  '/second-factor/totp/confirm': {
    $post: Json<Body<{ code: string }>, IdentityJson & { recoveryCodes: string[] }, 200>
  }
  '/second-factor/totp/remove': { $post: Json<Body<{ code: string }>, IdentityJson, 200> }
  '/second-factor/recovery-codes': {
    $post: Json<Body<{ code: string }>, IdentityJson & { recoveryCodes: string[] }, 200>
  }
  '/mail/change': { $post: Json<Body<{ email: string }>, { status: 'check-your-mail' }, 202> }
  '/mail/confirm': { $post: Json<Body<{ token: string }>, { status: 'mail-changed' }, 200> }
  '/account/close': { $post: Empty<object> }
}
