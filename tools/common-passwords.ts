/**
 * Writes src/auth/common-passwords.ts from a list of passwords, commonest first, one a line (anything after
 * white space is ignored): `node tools/common-passwords.ts < list.txt`. Made from the passwords list of zxcvbn
 * (MIT), which counts the xato.net corpus of ten million.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { golombEncode, golombReader } from '../src/auth/golomb.ts'
import { toBase64Url } from '../src/core/bytes.ts'

const COUNT = 3000
const SHORTEST = 8
const K = 12

const entries = new Set<string>()
for (const line of readFileSync(0, 'utf8').split('\n')) {
  const password = (line.split(/\s/)[0] ?? '').toLowerCase()
  if ([...password].length >= SHORTEST && entries.size < COUNT) entries.add(password)
}
if (entries.size < COUNT)
  throw new Error(`The list has only ${entries.size} passwords of ${SHORTEST} or more`)

const set = golombEncode([...entries], K)
const has = golombReader(set)
for (const entry of entries) if (!has(entry)) throw new Error(`"${entry}" is not found again`)

writeFileSync(
  `${import.meta.dirname}/../src/auth/common-passwords.ts`,
  `// Made by tools/common-passwords.ts; do not edit.
import { fromBase64Url } from '../core/bytes.ts'
import { golombReader } from './golomb.ts'

let has: ((password: string) => boolean) | undefined

/**
 * Whether a password is among the ${COUNT} commonest of ${SHORTEST} or more characters (ASVS 6.2.4), letter case
 * aside. One password in ${2 ** K} is called common and is not.
 */
export function isCommonPassword(password: string): boolean {
  has ??= golombReader({ bytes: fromBase64Url(SET) ?? new Uint8Array(), count: ${COUNT}, k: ${K} })
  return has(password.toLowerCase())
}

const SET =
  '${toBase64Url(set.bytes)}'
`,
)
