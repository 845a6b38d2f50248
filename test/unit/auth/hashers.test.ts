import * as nodeCrypto from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { argon2id } from '../../../src/auth/hashers/argon2id.ts'
import { createGate } from '../../../src/auth/hashers/gate.ts'
import type { PasswordHasher } from '../../../src/auth/hashers/hasher.ts'
import { formatPhc, parsePhc } from '../../../src/auth/hashers/phc.ts'
import { scrypt } from '../../../src/auth/hashers/scrypt.ts'
import { createPasswords } from '../../../src/auth/passwords.ts'
import { toBase64Url, toBytes } from '../../../src/core/bytes.ts'

const file = createRequire(import.meta.url).resolve('@phi-ag/argon2/argon2.wasm')
// Workers may not compile, and their types say so; Node may.
const compile = WebAssembly.Module as unknown as new (bytes: Uint8Array) => WebAssembly.Module
const module = new compile(readFileSync(file))
const light = { scrypt: scrypt({ logN: 4 }), argon2id: argon2id(module, { memory: 64, passes: 1 }) }

describe.each(Object.entries(light))('%s', (_, hasher) => {
  it('accepts the password it hashed, to the byte, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }),
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }),
        async (password, other) => {
          const encoded = await hasher.hash(password)
          expect(await hasher.verify(encoded, password)).toBe(true)
          expect(await hasher.verify(encoded, other)).toBe(other === password)
          // What a binding that counts characters for bytes would let through.
          expect(await hasher.verify(encoded, `${password}x`)).toBe(false)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('tells passwords apart that differ only at the end of many bytes', async () => {
    const encoded = await hasher.hash(`${'密'.repeat(84)}a`)
    expect(await hasher.verify(encoded, `${'密'.repeat(84)}b`)).toBe(false)
    expect(await hasher.verify(encoded, ' '.concat('密'.repeat(84), 'a'))).toBe(false)
  })

  it('salts each hash', async () => {
    expect(await hasher.hash('same')).not.toBe(await hasher.hash('same'))
  })

  it('has a decoy of its own cost that nothing matches', async () => {
    expect(hasher.needsRehash(hasher.decoy)).toBe(false)
    expect(await hasher.verify(hasher.decoy, '')).toBe(false)
    expect(await hasher.verify(hasher.decoy, 'password')).toBe(false)
  })

  it('answers no to what is not a hash of its kind', async () => {
    for (const text of [
      '',
      '$',
      'plain',
      '$2b$10$abcdefghijklmnopqrstuv',
      hasher.decoy.replace(/\$[^$]*$/, ''),
    ]) {
      expect(await hasher.verify(text, 'password')).toBe(false)
      expect(hasher.needsRehash(text)).toBe(true)
    }
  })
})

it('computes scrypt as RFC 7914 has it', async () => {
  // Section 12: scrypt("pleaseletmein", "SodiumChloride", 16384, 8, 1, 64)
  const hash = Buffer.from(
    '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
    'hex',
  )
  const phc = formatPhc({
    id: 'scrypt',
    params: new Map([
      ['ln', 14],
      ['r', 8],
      ['p', 1],
    ]),
    salt: toBytes('SodiumChloride'),
    hash: new Uint8Array(hash),
  })
  expect(await scrypt().verify(phc, 'pleaseletmein')).toBe(true)
  expect(await scrypt().verify(phc, 'pleaseletmeout')).toBe(false)
  expect(scrypt().needsRehash(phc)).toBe(true)
})

it('computes Argon2id as another implementation does', async () => {
  const { argon2Sync } = nodeCrypto as unknown as {
    argon2Sync(name: string, parameters: Record<string, unknown>): Buffer
  }
  for (const [message, memory, passes, parallelism] of [
    ['correct horse battery staple', 19_456, 2, 1],
    ['пароль 密码 🔑', 64, 3, 1],
    ['p', 256, 1, 4],
  ] as const) {
    const nonce = Buffer.from('0123456789abcdef')
    const tag = argon2Sync('argon2id', { message, nonce, memory, passes, parallelism, tagLength: 32 })
    const b64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '')
    const phc = `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${b64(nonce)}$${b64(tag)}`
    expect(await argon2id(module).verify(phc, message)).toBe(true)
    expect(await argon2id(module).verify(phc, `${message} `)).toBe(false)
  }
})

it('does not run a stored hash that asks for more than an isolate has', async () => {
  const tail = `$${toBase64Url(new Uint8Array(16))}$${toBase64Url(new Uint8Array(32))}`
  expect(await argon2id(module).verify(`$argon2id$v=19$m=4000000,t=2,p=1${tail}`, 'x')).toBe(false)
  expect(await argon2id(module).verify(`$argon2id$v=19$m=64,t=4000000000,p=1${tail}`, 'x')).toBe(false)
  expect(await scrypt().verify(`$scrypt$ln=30,r=8,p=1${tail}`, 'x')).toBe(false)
  expect(await scrypt().verify(`$scrypt$ln=4,r=8,p=4000000000${tail}`, 'x')).toBe(false)
})

it('refuses a cost out of bounds, and a module that is no Argon2, when it is built', () => {
  expect(() => scrypt({ logN: 21 })).toThrow(TypeError)
  expect(() => scrypt({ logN: 17, p: 2 })).toThrow(TypeError)
  expect(() => scrypt({ r: 1.5 })).toThrow(TypeError)
  expect(() => argon2id(module, { memory: 200_000 })).toThrow(TypeError)
  expect(() => argon2id(module, { passes: 0 })).toThrow(TypeError)
  const empty = new compile(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]))
  expect(() => argon2id(empty)).toThrow('does not export')
})

it('reads back every PHC string it writes, and never throws at any other', () => {
  const params = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.nat(), { minKeys: 1, maxKeys: 4 })
  fc.assert(
    fc.property(
      fc.stringMatching(/^[a-z0-9-]{1,32}$/),
      params,
      fc.uint8Array({ minLength: 1, maxLength: 32 }),
      fc.uint8Array({ minLength: 1, maxLength: 64 }),
      (id, list, salt, hash) => {
        const phc = {
          id,
          params: new Map(Object.entries(list)),
          salt: new Uint8Array(salt),
          hash: new Uint8Array(hash),
        }
        expect(parsePhc(formatPhc(phc))).toEqual(phc)
      },
    ),
  )
  fc.assert(fc.property(fc.string(), (text) => void parsePhc(`$${text}`)))
  expect(parsePhc('$scrypt$ln=1,ln=2,p=1$AAAA$AAAA')).toBeUndefined()
})

/** Counts, and takes as long as it is told. */
function counting(id: string, work: () => Promise<void> = async () => {}) {
  const calls = { hash: 0, verify: 0 }
  const hasher: PasswordHasher = {
    id,
    decoy: `$${id}$decoy`,
    hash: async () => {
      calls.hash++
      await work()
      return `$${id}$hash`
    },
    verify: async (_, password) => {
      calls.verify++
      await work()
      return password === 'right'
    },
    needsRehash: () => false,
  }
  return { calls, hasher }
}

it('does the same work for an account that does not exist', async () => {
  const { calls, hasher } = counting('now')
  const passwords = createPasswords({ hashers: [hasher] })
  await passwords.verify('$now$hash', 'wrong')
  expect(calls).toEqual({ hash: 0, verify: 1 })
  expect(await passwords.verify(undefined, 'right')).toEqual({ ok: false, rehash: false })
  expect(calls).toEqual({ hash: 0, verify: 2 })
  expect(await passwords.verify('$unheard-of$hash', 'right')).toEqual({ ok: false, rehash: false })
  expect(calls).toEqual({ hash: 0, verify: 3 })
})

it('asks for a new hash when an older hasher made the old one', async () => {
  const passwords = createPasswords({ hashers: [counting('now').hasher, counting('then').hasher] })
  expect(await passwords.verify('$then$hash', 'right')).toEqual({ ok: true, rehash: true })
  expect(await passwords.verify('$then$hash', 'wrong')).toEqual({ ok: false, rehash: false })
  expect(await passwords.verify('$now$hash', 'right')).toEqual({ ok: true, rehash: false })
})

it('runs no more hashes at once than it may and sheds what would wait too long', async () => {
  let running = 0
  let most = 0
  const { hasher } = counting('slow', async () => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 5))
    running--
  })
  const passwords = createPasswords({ hashers: [hasher], gate: createGate({ running: 2, pending: 5 }) })
  const results = await Promise.allSettled(Array.from({ length: 12 }, () => passwords.hash('x')))
  expect(most).toBe(2)
  expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(5)
  for (const result of results) {
    if (result.status === 'rejected') {
      expect(result.reason).toMatchObject({
        code: 'overloaded',
        status: 503,
        headers: { 'Retry-After': '2' },
      })
    }
  }
  await expect(passwords.hash('x')).resolves.toBe('$slow$hash')
})

it('gives the place of an abandoned request to others after a while', async () => {
  const gate = createGate({ running: 1, pending: 1 })
  void gate(() => new Promise(() => {}))
  await expect(gate(async () => 'second')).rejects.toMatchObject({ code: 'overloaded' })
  const real = Date.now
  try {
    Date.now = () => real() + 11_000
    await expect(gate(async () => 'third')).resolves.toBe('third')
  } finally {
    Date.now = real
  }
})

it('frees its place when a hash fails', async () => {
  const gate = createGate({ running: 1, pending: 1 })
  await expect(gate(() => Promise.reject(new Error('trap')))).rejects.toThrow('trap')
  await expect(gate(async () => 1)).resolves.toBe(1)
})
