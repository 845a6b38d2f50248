import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCommonPassword } from '../../../src/auth/common-passwords.ts'
import { golombEncode, golombReader } from '../../../src/auth/golomb.ts'
import { normaliseEmail } from '../../../src/auth/input.ts'
import { passwordFault } from '../../../src/auth/password-policy.ts'
import { addressKey, deviceSummary } from '../../../src/auth/visitor.ts'

const context = { email: 'ann.miller@initech.example', words: ['Acme Cloud'], minLength: 8 }

describe('passwords', () => {
  it.each([
    ['password', 'common'],
    ['PASSWORD', 'common'],
    ['12345678', 'common'],
    ['iloveyou', 'common'],
    ['qwertyuiop', 'common'],
    ['trustno1', 'common'],
    ['football', 'common'],
    ['password1', 'common'],
    ['1qaz2wsx', 'common'],
    ['short', 'too-short'],
    ['pässwör', 'too-short'],
    ['🔑🔑🔑🔑🔑🔑🔑', 'too-short'],
    ['x'.repeat(257), 'too-long'],
    ['密'.repeat(86), 'too-long'],
    ['acmecloud2024', 'guessable'],
    ['Acme Cloud!!', 'guessable'],
    ['annmiller99', 'guessable'],
    ['initech-rocks', 'guessable'],
    ['acmepassword', 'guessable'],
  ])('refuses %j as %s', (password, fault) => {
    expect(passwordFault(password, context)).toBe(fault)
  })

  it.each([
    'correct horse battery staple',
    'the acme anvil fell on my coyote',
    '密'.repeat(64),
    '🔑'.repeat(64),
    '        x',
    'aaaaaaaab',
    'tr0ub4dor&3',
  ])('takes %j as it is', (password) => {
    expect(passwordFault(password, context)).toBeUndefined()
  })

  it('asks for the length it is told to', () => {
    expect(passwordFault('fourteen chars', { ...context, minLength: 15 })).toBe('too-short')
  })

  it('calls few passwords common that are not', () => {
    let wrong = 0
    for (let i = 0; i < 20_000; i++) if (isCommonPassword(`a long phrase, number ${i * 7919}`)) wrong++
    expect(wrong).toBeLessThan(20)
  })

  it('never forgets what was put into a set, and finds little else there', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string(), { maxLength: 200 }),
        fc.integer({ min: 1, max: 14 }),
        (entries, k) => {
          const has = golombReader(golombEncode(entries, k))
          for (const entry of entries) expect(has(entry)).toBe(true)
        },
      ),
    )
    const has = golombReader(
      golombEncode(
        Array.from({ length: 1000 }, (_, i) => `in ${i}`),
        8,
      ),
    )
    const found = Array.from({ length: 10_000 }, (_, i) => `out ${i}`).filter(has).length
    // One in 256 is 39.
    expect(found).toBeLessThan(80)
    expect(golombReader({ bytes: new Uint8Array(), count: 3, k: 8 })('anything')).toBe(false)
  })
})

describe('mail addresses', () => {
  it('has one spelling for each', () => {
    expect(normaliseEmail('  Ann.Miller@Example.COM ')).toBe('ann.miller@example.com')
    fc.assert(
      fc.property(fc.emailAddress(), (address) => {
        const once = normaliseEmail(address)
        if (once !== undefined) expect(normaliseEmail(once)).toBe(once)
      }),
    )
  })

  it.each([
    'ann',
    'ann@',
    '@example.com',
    'ann@localhost',
    'ann@example..com',
    'ann@-example.com',
    'ann@@example.com',
    'ann@example.com, bob@example.com',
    'ann@example.com\nBcc: all@example.com',
    'ann@example.com\u0000',
    `${'a'.repeat(65)}@example.com`,
    `ann@${'a.'.repeat(130)}com`,
    'ann <ann@example.com>',
  ])('refuses %j', (address) => {
    expect(normaliseEmail(address)).toBeUndefined()
  })
})

describe('visitors', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:0002::6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('counts %s as %s', (address, key) => {
    expect(addressKey(address)).toBe(key)
  })

  it.each([
    [
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0',
      'Edge on Windows',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
      'Safari on iPhone',
    ],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0', 'Firefox on Linux'],
    [
      'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36',
      'Chrome on Android',
    ],
    ['curl/8.10.1', 'curl'],
    ['', null],
    [undefined, null],
  ])('sums up %s', (userAgent, summary) => {
    expect(deviceSummary(userAgent)).toBe(summary)
  })
})
