import { toBase64Url } from '../core/bytes.ts'
import { sha256 } from '../core/crypto.ts'
import { randomBytes } from '../core/index.ts'
import { toBase32 } from './totp.ts'

/** How many a person gets at a time. */
const COUNT = 10
const GROUP = 5
const LENGTH = 25

/** Fresh codes: 125 random bits each, in five groups of five, such as `k3v7m-…`. */
export function newRecoveryCodes(): string[] {
  return Array.from({ length: COUNT }, () => {
    const letters = toBase32(randomBytes(16)).slice(0, LENGTH).toLowerCase()
    return (letters.match(new RegExp(`.{${GROUP}}`, 'g')) ?? []).join('-')
  })
}

/**
 * What is stored of a code; undefined for what cannot be one. Spaces, dashes and case do not matter: people copy
 * these from paper. With this many random bits a plain hash is enough (ASVS 6.5.2).
 */
export async function recoveryCodeHash(code: string): Promise<string | undefined> {
  const letters = code.replaceAll(/[\s-]/g, '').toLowerCase()
  if (letters.length !== LENGTH || !/^[a-z2-7]+$/.test(letters)) return undefined
  return toBase64Url(await sha256(`breakwater/auth/recovery/1\n${letters}`))
}
