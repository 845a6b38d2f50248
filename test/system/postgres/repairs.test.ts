import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { relink } from '../../../src/local/postgres/binaries.ts'
import { explainFailure } from '../../../src/local/postgres/cluster.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'breakwater-binaries-'))
  mkdirSync(join(folder, 'native', 'lib'), { recursive: true })
  writeFileSync(join(folder, 'native', 'lib', 'libicu.so.60.2'), 'library')
  writeFileSync(
    join(folder, 'native', 'pg-symlinks.json'),
    JSON.stringify([{ source: 'native/lib/libicu.so.60.2', target: 'native/lib/libicu.so.60' }]),
  )
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('makes the links that an installation without scripts leaves out, and may be run by two at once', () => {
  const link = join(folder, 'native', 'lib', 'libicu.so.60')
  expect(relink(folder, join(folder, 'spare'))).toBeUndefined()
  expect(relink(folder, join(folder, 'spare'))).toBeUndefined()
  // Relative, so that the folder may be moved.
  expect(readlinkSync(link)).toBe('libicu.so.60.2')
})

it('makes them elsewhere when the package cannot be written', () => {
  const spare = join(folder, 'spare')
  // Nobody, root included, can make an entry in what is no folder.
  writeFileSync(
    join(folder, 'native', 'pg-symlinks.json'),
    JSON.stringify([
      { source: 'native/lib/libicu.so.60.2', target: 'native/lib/libicu.so.60.2/libicu.so.60' },
    ]),
  )
  expect(relink(folder, spare)).toBe(spare)
  expect(realpathSync(join(spare, 'libicu.so.60'))).toBe(
    realpathSync(join(folder, 'native', 'lib', 'libicu.so.60.2')),
  )
  expect(relink(folder, spare)).toBe(spare)
  expect(existsSync(spare)).toBe(true)
})

it.each([
  [
    'initdb: error: could not create directory "/state/data/base": No space left on device\n',
    'The disk that holds /state is full, so a database could not be set up. Make room and start again.',
  ],
  [
    '2026-01-01 00:00:00 UTC [1] FATAL:  could not write to file "pg_wal/xlogtemp.1": No space left on device\n',
    'The disk that holds /state is full, so a database could not be set up. Make room and start again.',
  ],
  [
    'postgres: error while loading shared libraries: libicuuc.so.60: cannot open shared object file\n',
    "a database could not be set up: PostgreSQL's programs do not find their libraries here (they want glibc): postgres: error while loading shared libraries: libicuuc.so.60: cannot open shared object file",
  ],
  ['', 'a database could not be set up: it ended without a word.'],
])('explains %j', (output, sentence) => {
  expect(explainFailure('a database could not be set up', output, '/state').message).toBe(sentence)
})
