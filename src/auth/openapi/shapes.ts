import type { IdentityJson, SessionJson, TokensJson, UserJson } from '../routes-schema.ts'
import { count, list, object, oneOf, type Schema, string, stringOrNull, time, uuid } from './schema.ts'

/** A person. */
const user: Schema<UserJson> = object({
  id: uuid(),
  email: string(),
  createdAt: time(),
  roles: list(string()),
})

/** Members of a session. */
export const sessionMembers: { readonly [K in keyof SessionJson]: Schema<SessionJson[K]> } = {
  id: uuid(),
  createdAt: time(),
  authenticatedAt: time('When the person last proved who they are.'),
  lastUsedAt: time('To within an hour.'),
  expiresAt: time('The absolute end. Idle sessions end earlier.'),
  device: stringOrNull('Such as `Firefox on Windows`.'),
  country: stringOrNull('ISO 3166-1 alpha-2.'),
  city: stringOrNull(),
  transport: oneOf('cookie', 'token'),
  methods: list(string('How the person proved who they are, such as `password` and `totp`.')),
}

/** What a native app keeps. */
export const tokens: Schema<TokensJson> = object({
  accessToken: string('Goes into `Authorization: Bearer`.'),
  refreshToken: string('Goes to `/token/refresh`, which gives the next one.'),
  tokenType: oneOf('Bearer'),
  expiresIn: count('Seconds that the access token lasts.'),
})

/** Members of whose session it is. */
export const identityMembers: { readonly user: Schema<UserJson>; readonly session: Schema<SessionJson> } = {
  user,
  session: object(sessionMembers),
}

/** Where the session travels by token. */
export const withTokens: { readonly tokens: Schema<TokensJson> } = { tokens }

/** Whose session it is. */
export const identity: Schema<IdentityJson> = object(identityMembers, withTokens)
