import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32, isKey, KEY_PREFIX, newKey, startOf } from '../../../src/auth/api-keys/key.ts'
import { redactText } from '../../../src/core/redact-text.ts'

describe('the text of an API key', () => {
  it('ends with the checksum that everybody computes', () => {
    // The check value of CRC-32/ISO-HDLC, and one of RFC 3720's zeros.
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf4_3926)
    expect(crc32(new Uint8Array(32))).toBe(0x190a_55ad)
  })

  it('is told from every other text, and from itself with any one character changed', () => {
    const key = newKey(KEY_PREFIX)
    expect(isKey(KEY_PREFIX, key)).toBe(true)
    fc.assert(
      fc.property(fc.nat(key.length - 1), fc.constantFrom(...'09AZaz_-. é'), (at, char) => {
        const other = key.slice(0, at) + char + key.slice(at + 1)
        expect(isKey(KEY_PREFIX, other)).toBe(other === key)
      }),
    )
    fc.assert(fc.property(fc.string(), (text) => !isKey(KEY_PREFIX, text)))
    for (let cut = 0; cut < key.length; cut++) expect(isKey(KEY_PREFIX, key.slice(0, cut))).toBe(false)
    expect(isKey(KEY_PREFIX, `${key}a`)).toBe(false)
    expect(isKey('acme_', key.replace(KEY_PREFIX, 'acme_'))).toBe(false)
  })

  it('never repeats, uses all of base62, and shows no more than its beginning', () => {
    const keys = Array.from({ length: 500 }, () => newKey('acme_'))
    expect(new Set(keys).size).toBe(500)
    const counts = new Map<string, number>()
    for (const key of keys) for (const char of key.slice(5, 48)) counts.set(char, (counts.get(char) ?? 0) + 1)
    expect(counts.size).toBe(62)
    // 21,500 characters: 347 of each, give or take. Six standard deviations are 110.
    for (const count of counts.values()) expect(Math.abs(count - 347)).toBeLessThan(120)
    expect(startOf('acme_', keys[0] ?? '')).toHaveLength(9)
  })

  it('is masked in whatever is logged, whatever its prefix', () => {
    for (let i = 0; i < 2000; i++) {
      const key = newKey(i % 2 === 0 ? KEY_PREFIX : 'acme_')
      expect(redactText(`could not call with ${key} at all`)).not.toContain(key.slice(12))
    }
  })
})
