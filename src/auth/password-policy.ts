import { toBytes } from '../core/bytes.ts'
import { isCommonPassword } from './common-passwords.ts'

/** Why a password was refused. Stable, safe to show. */
export type PasswordFault = 'too-short' | 'too-long' | 'common' | 'guessable' | 'breached'

/** What the policy knows beside the password. */
export interface PasswordContext {
  /** Normalised mail address of the account. */
  readonly email: string
  /** Words an attacker would try: the product's name, its company's. */
  readonly words: readonly string[]
  /** Fewest characters (code points). */
  readonly minLength: number
}

/** Most bytes of UTF-8: 64 characters of any script fit. */
const MAX_PASSWORD_BYTES = 256

/** What a person is told. */
export const PASSWORD_ADVICE: Readonly<Record<PasswordFault, string>> = {
  'too-short': 'The password is too short.',
  'too-long': 'The password is too long: at most 256 bytes.',
  common: 'This is one of the most used passwords. Choose another.',
  guessable: 'Apart from the name of the service or your address, too little of the password is left.',
  breached: 'This password has leaked somewhere else. Choose another.',
}

const WORD_BREAK = /[^\p{L}\p{N}]+/u

function contextWords({ email, words }: PasswordContext): string[] {
  const [local = '', domain = ''] = email.split('@')
  const parts = [local, ...local.split(WORD_BREAK), ...domain.split('.').slice(0, -1)]
  for (const word of words) parts.push(word, word.replaceAll(/\s+/g, ''), ...word.split(WORD_BREAK))
  const known = new Set(parts.map((part) => part.toLowerCase()).filter((part) => [...part].length >= 3))
  // The longest first, so that "acme" does not break up "acmecorp".
  return [...known].sort((a, b) => b.length - a.length)
}

/**
 * What is wrong with a password, or undefined. It is judged and later verified exactly as typed: nothing is
 * trimmed, folded or cut, and no mixture of characters is asked for (ASVS 6.2.1, 6.2.4, 6.2.5, 6.2.8, 6.2.9, 6.2.11).
 */
export function passwordFault(password: string, context: PasswordContext): PasswordFault | undefined {
  // Bytes first: counting the characters of a megabyte is work an attacker would have for free.
  if (password.length > MAX_PASSWORD_BYTES || toBytes(password).length > MAX_PASSWORD_BYTES) return 'too-long'
  if ([...password].length < context.minLength) return 'too-short'
  if (isCommonPassword(password)) return 'common'
  const lower = password.toLowerCase()
  let rest = lower
  for (const word of contextWords(context)) rest = rest.replaceAll(word, '')
  // A long passphrase may well contain the word; a password that is little else may not.
  if (rest !== lower && ([...rest].length < context.minLength || isCommonPassword(rest))) return 'guessable'
  return undefined
}
