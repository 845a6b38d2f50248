import { toBase64Url } from '../core/bytes.ts'
import { hmac } from '../core/crypto.ts'
import { keyId } from './sealing.ts'

// A stored hash names its pepper in front: `~<key id>$argon2id$…`. One without is of a time without.
const MARK = '~'

/** What is hashed in the password's stead. */
export async function peppered(pepper: string | undefined, password: string): Promise<string> {
  return pepper === undefined
    ? password
    : toBase64Url(await hmac(pepper, `breakwater/auth/pepper/1\n${password}`))
}

/** A hash as it is stored. */
export async function withPepperId(pepper: string | undefined, phc: string): Promise<string> {
  return pepper === undefined ? phc : `${MARK}${await keyId(pepper)}${phc}`
}

/** The PHC string of a stored hash. */
export function withoutPepperId(encoded: string): string {
  return encoded.startsWith(MARK) ? encoded.slice(Math.max(1, encoded.indexOf('$'))) : encoded
}

/** The pepper of a stored hash; undefined when it is no longer known. */
export async function pepperFor(
  peppers: readonly string[],
  encoded: string,
): Promise<{ readonly pepper: string | undefined } | undefined> {
  if (!encoded.startsWith(MARK)) return { pepper: undefined }
  const id = encoded.slice(1, encoded.indexOf('$'))
  for (const pepper of peppers) if ((await keyId(pepper)) === id) return { pepper }
  return undefined
}
