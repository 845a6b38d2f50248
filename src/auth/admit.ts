import type { Context } from 'hono'
import type { AuthInternals } from './auth.ts'
import { setCacheCookie, setDeviceCookie, setSessionCookie } from './cookies.ts'
import { tokenPair } from './refreshing.ts'
import { type IdentityJson, sessionJson, type TokensJson, userJson } from './routes-schema.ts'
import { sealIdentity } from './session-cache.ts'
import type { SignedIn } from './sign-in.ts'

/**
 * Hands out a session, by cookies or by tokens, and says whose it is.
 * @param since when the database was asked, in milliseconds since the epoch.
 */
export async function admit(
  c: Context,
  { config }: AuthInternals,
  signedIn: SignedIn,
  since: number,
): Promise<IdentityJson> {
  const { user, session, token, device } = signedIn
  const json = { user: userJson(user), session: sessionJson(session) }
  if (device !== undefined) setDeviceCookie(c, device)
  if (session.transport === 'token') {
    const tokens: TokensJson = await tokenPair(config, signedIn, token, since)
    return { ...json, tokens }
  }
  setSessionCookie(c, config, token)
  if (config.cache !== undefined) {
    setCacheCookie(c, config, await sealIdentity(config.secrets, token, signedIn, since))
  }
  return json
}
