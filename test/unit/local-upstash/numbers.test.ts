import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromBinary, toBinary } from '../../../src/local/upstash/binary.ts'
import { addExtended } from '../../../src/local/upstash/extended.ts'
import { globMatch } from '../../../src/local/upstash/glob.ts'
import { formatG } from '../../../src/local/upstash/lua/numerals.ts'
import { formatDouble, parseInt64 } from '../../../src/local/upstash/numbers.ts'

describe('extended precision', () => {
  test.each([
    ['0.1', '0.2', '0.3'],
    ['10.50', '0.1', '10.6'],
    ['5.0e3', '2.0e2', '5200'],
    ['3', '-3', '0'],
    ['-0.5', '0.25', '-0.25'],
    ['1e20', '1', '100000000000000000000'],
  ])('%s + %s is %s', (a, b, sum) => {
    expect(addExtended(a, b)).toBe(sum)
  })

  test('whole numbers within 2^53 add exactly', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b) => {
        expect(addExtended(String(a), String(b))).toBe(String(BigInt(a) + BigInt(b)))
      }),
    )
  })

  test('what is no number has no sum', () => {
    for (const text of ['', 'abc', '1 ', ' 1', '1e', 'inf', '0x1', '1e999999'])
      expect(addExtended(text, '1')).toBeUndefined()
  })
})

test('text survives the way to bytes and back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(fromBinary(toBinary(text))).toBe(text.toWellFormed())
      expect(toBinary(text).length).toBe(Buffer.byteLength(text))
    }),
  )
})

test('an integer is read back as written, and nothing else is one', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(parseInt64(String(value))).toBe(value)
    }),
  )
  for (const text of ['', '-', '+1', '01', '-0', '1.0', ' 1', '1 ', '9223372036854775808', '1e3', '0x1']) {
    expect(parseInt64(text)).toBeUndefined()
  }
})

test('a score reads back as the same double', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(Number(formatDouble(value))).toBe(value)
      expect(Number(formatG(value, 17))).toBe(value)
    }),
  )
})

describe('globs', () => {
  test.each([
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['h?llo', 'hello', true],
    ['h?llo', 'hllo', false],
    ['h[ae]llo', 'hallo', true],
    ['h[^e]llo', 'hello', false],
    ['h[z-a]llo', 'hello', true],
    ['h\\*llo', 'h*llo', true],
    ['h\\*llo', 'hello', false],
    ['*a*b*c*', 'xxaxxbxxcxx', true],
    ['*a*b*c*', 'xxaxxcxxbxx', false],
    ['[a', 'a', true],
    ['a**b', 'ab', true],
  ])('%s and %s: %s', (pattern, text, matches) => {
    expect(globMatch(pattern, text)).toBe(matches)
  })

  test('many stars do not take for ever', () => {
    expect(globMatch(`${'*a'.repeat(50)}b`, 'a'.repeat(5000))).toBe(false)
  })
})
