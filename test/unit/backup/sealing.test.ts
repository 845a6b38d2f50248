import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Blocks } from '../../../src/backup/blocks.ts'
import { type ChunkPlace, openChunk, sealChunk } from '../../../src/backup/chunk.ts'
import { databaseFingerprint } from '../../../src/backup/fingerprint.ts'
import { createBackup } from '../../../src/backup/index.ts'
import { checkKey, deriveKeys, importKey } from '../../../src/backup/keys.ts'

const KEY = Buffer.alloc(32, 1).toString('base64')
const salt = new Uint8Array(16)
const place: ChunkPlace = { backup: 'b', table: 3, name: 'public.people', chunk: 7 }
const utf8 = (text: string) => new TextEncoder().encode(text)

describe('a sealed chunk', () => {
  it('opens to what went in, in the same place only', async () => {
    const { seal } = await deriveKeys(await importKey(KEY), salt)
    const sealed = await sealChunk(seal, place, [utf8('one\n'), utf8('two\n')])
    expect(new TextDecoder().decode(await openChunk(seal, place, sealed))).toBe('one\ntwo\n')
    const others: Partial<ChunkPlace>[] = [
      { backup: 'c' },
      { table: 4 },
      { name: 'public.orders' },
      { chunk: 8 },
    ]
    for (const other of others)
      await expect(openChunk(seal, { ...place, ...other }, sealed)).rejects.toThrow()
  })

  it('does not open when any bit of it changed, or its end is missing', async () => {
    const { seal } = await deriveKeys(await importKey(KEY), salt)
    const sealed = await sealChunk(seal, place, [utf8('a row of a table\n')])
    for (let i = 0; i < sealed.length; i++) {
      const changed = sealed.slice()
      changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8))
      await expect(openChunk(seal, place, changed)).rejects.toThrow()
    }
    await expect(openChunk(seal, place, sealed.slice(0, -1))).rejects.toThrow()
  })

  it('does not open under another backup’s key, though the master key is the same', async () => {
    const master = await importKey(KEY)
    const one = await deriveKeys(master, salt)
    const two = await deriveKeys(master, new Uint8Array(16).fill(1))
    const sealed = await sealChunk(one.seal, place, [utf8('x')])
    await expect(openChunk(two.seal, place, sealed)).rejects.toThrow()
  })
})

describe('a key', () => {
  it('is taken in base64, base64url and hexadecimal, and is the same key', async () => {
    const bytes = Buffer.alloc(32, 0xfb)
    const ids = await Promise.all(
      (['base64', 'base64url', 'hex'] as const).map(
        async (form) => (await importKey(bytes.toString(form))).id,
      ),
    )
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).toMatch(/^[0-9a-f]{16}$/)
  })

  it.each([
    '',
    'password',
    Buffer.alloc(31).toString('base64'),
    Buffer.alloc(33).toString('base64'),
    'zz'.repeat(32),
  ])('is refused when it is no 32 bytes, without being repeated: %j', (key) => {
    expect(() => checkKey(key)).toThrow('32 random bytes')
    try {
      checkKey(key)
    } catch (error) {
      if (key !== '') expect(String(error)).not.toContain(key)
    }
  })
})

it('keeps pieces though the buffer they are views of is filled anew', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300_000 }), { maxLength: 6 }), (pieces) => {
      const blocks = new Blocks()
      const shared = new Uint8Array(300_000)
      for (const piece of pieces) {
        shared.set(piece)
        blocks.add(shared.subarray(0, piece.length))
      }
      expect(Buffer.concat(blocks.take()).equals(Buffer.concat(pieces))).toBe(true)
    }),
    { numRuns: 50 },
  )
})

it('knows a database by either of its addresses, and from any other', async () => {
  const of = (url: string) => databaseFingerprint(`postgresql://u:p@${url}`)
  const direct = await of('ep-cool-1.eu-central-1.aws.neon.tech/app')
  expect(await of('ep-cool-1-pooler.eu-central-1.aws.neon.tech:5432/app?sslmode=require')).toBe(direct)
  expect(await databaseFingerprint('postgres://other@EP-cool-1.eu-central-1.aws.neon.tech/app')).toBe(direct)
  expect(await of('ep-cool-1.eu-central-1.aws.neon.tech/app2')).not.toBe(direct)
  expect(await of('ep-cool-2.eu-central-1.aws.neon.tech/app')).not.toBe(direct)
})

it('refuses wrong options when it is built', () => {
  const options = {
    databaseUrl: 'postgresql://u:hunter2@h/d',
    bucket: {} as R2Bucket,
    encryptionKeys: [KEY] as [string],
  }
  expect(() => createBackup(options)).not.toThrow()
  expect(() => createBackup({ ...options, databaseUrl: 'mysql://u:hunter2@h/d' })).toThrow(
    /^backup: databaseUrl/,
  )
  expect(() => createBackup({ ...options, databaseUrl: 'mysql://u:hunter2@h/d' })).not.toThrow('hunter2')
  expect(() => createBackup({ ...options, encryptionKeys: [] as never })).toThrow('at least one')
  expect(() => createBackup({ ...options, encryptionKeys: ['x'] })).toThrow('32 random bytes')
  expect(() => createBackup({ ...options, retention: '1 h' })).toThrow('less than a day')
  expect(() => createBackup({ ...options, retention: 'month' as never })).toThrow('not a duration')
  expect(() => createBackup({ ...options, prefix: 'x' })).toThrow('ends in a slash')
})
