import { hmac, verifyHmac } from '../core/crypto.ts'
import { formatToken, hashSecret, type Token } from './token.ts'

/** What a mailed token is for. */
export type TokenPurpose = 'verify-mail' | 'reset-password' | 'change-mail'

/** Newest first. The newest signs; all of them verify. */
export type Secrets = readonly [string, ...string[]]

const message = (purpose: TokenPurpose, id: string) => `breakwater/auth/mail-token/1\n${purpose}\n${id}`

/**
 * The secret of a mailed token is derived from its row's id, so that a job can carry the id alone and nothing
 * in the database (the row, the job, a backup of either) is enough to use it.
 */
function derive(secret: string, purpose: TokenPurpose, id: string): Promise<Uint8Array<ArrayBuffer>> {
  return hmac(secret, message(purpose, id))
}

/** The hash to store in the row of a new token. */
export async function mailTokenHash(secrets: Secrets, purpose: TokenPurpose, id: string): Promise<string> {
  return hashSecret(await derive(secrets[0], purpose, id))
}

/**
 * The token as it goes into the mail: found again from the row's id and hash, under whichever secret was the
 * newest when the row was made. Undefined when that secret has since been retired.
 */
export async function recoverMailToken(
  secrets: Secrets,
  purpose: TokenPurpose,
  id: string,
  hash: string,
): Promise<string | undefined> {
  for (const candidate of secrets) {
    const secret = await derive(candidate, purpose, id)
    if ((await hashSecret(secret)) === hash) return formatToken({ id, secret })
  }
  return undefined
}

/**
 * Whether a token was derived from one of our secrets: says no to every invented one before the database or
 * the password hash is troubled.
 */
export async function isGenuineMailToken(
  secrets: Secrets,
  purpose: TokenPurpose,
  token: Token,
): Promise<boolean> {
  return verifyHmac(secrets, message(purpose, token.id), token.secret)
}
