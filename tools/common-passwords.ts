/**
 * Writes src/auth/common-passwords.ts from a list of passwords, commonest first, one a line (anything after
 * white space is ignored): `node tools/common-passwords.ts < list.txt`. Made from the passwords list of zxcvbn
 * (MIT), which counts the xato.net corpus of ten million.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { bloomAdd } from '../src/auth/bloom.ts'
import { toBase64Url } from '../src/core/index.ts'

const COUNT = 3000
const SHORTEST = 8
const BITS_PER_ENTRY = 20
const K = 14

const entries = new Set<string>()
for (const line of readFileSync(0, 'utf8').split('\n')) {
  const password = (line.split(/\s/)[0] ?? '').toLowerCase()
  if ([...password].length >= SHORTEST && entries.size < COUNT) entries.add(password)
}
if (entries.size < COUNT)
  throw new Error(`The list has only ${entries.size} passwords of ${SHORTEST} or more`)

const filter = { bits: new Uint8Array((COUNT * BITS_PER_ENTRY) / 8), k: K }
for (const entry of entries) bloomAdd(filter, entry)

writeFileSync(
  `${import.meta.dirname}/../src/auth/common-passwords.ts`,
  `// Made by tools/common-passwords.ts; do not edit.
import { fromBase64Url } from '../core/index.ts'
import { type BloomFilter, bloomHas } from './bloom.ts'

let filter: BloomFilter | undefined

/**
 * Whether a password is among the ${COUNT} commonest of ${SHORTEST} or more characters (ASVS 6.2.4), letter case
 * aside. A Bloom filter: one password in about 15,000 is called common and is not.
 */
export function isCommonPassword(password: string): boolean {
  filter ??= { bits: fromBase64Url(BITS) ?? new Uint8Array(1), k: ${K} }
  return bloomHas(filter, password.toLowerCase())
}

const BITS =
  '${toBase64Url(filter.bits)}'
`,
)
