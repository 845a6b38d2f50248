import type { Session, User } from './session-store.ts'

/** A person, as JSON. */
export interface UserJson {
  id: string
  email: string
  /** RFC 3339. */
  createdAt: string
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
}

/** Whose session it is, as JSON. */
export interface IdentityJson {
  user: UserJson
  session: SessionJson
}

/** A person as JSON. */
export function userJson(user: User): UserJson {
  return { id: user.id, email: user.email, createdAt: user.createdAt.toISOString() }
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
  }
}

type Json<Input, Output, Status extends number> = {
  input: Input
  output: Output
  outputFormat: 'json'
  status: Status
}
type Empty<Input> = { input: Input; output: null; outputFormat: 'body'; status: 204 }
type Body<T> = { json: T }

/** The endpoints of `authRoutes`, as `hc` knows them. */
export type AuthSchema = {
  '/sign-up': {
    $post: Json<Body<{ email: string; password: string }>, { status: 'check-your-mail' }, 202>
  }
  '/verify-mail': { $post: Json<Body<{ token: string }>, { status: 'verified' }, 200> }
  '/sign-in': { $post: Json<Body<{ email: string; password: string }>, IdentityJson, 200> }
  '/sign-out': { $post: Empty<object> }
  '/sign-out-everywhere': { $post: Json<object, { ended: number }, 200> }
  '/session': {
    $get: Json<object, { user: null; session: null }, 200> | Json<object, IdentityJson, 200>
  }
  '/sessions': { $get: Json<object, { sessions: (SessionJson & { current: boolean })[] }, 200> }
  '/sessions/:id': { $delete: Empty<{ param: { id: string } }> }
  '/password/change': {
    $post: Json<Body<{ currentPassword: string; newPassword: string }>, IdentityJson, 200>
  }
  '/password/forgot': { $post: Json<Body<{ email: string }>, { status: 'check-your-mail' }, 202> }
  '/password/reset': {
    $post: Json<Body<{ token: string; newPassword: string }>, { status: 'password-changed' }, 200>
  }
}
