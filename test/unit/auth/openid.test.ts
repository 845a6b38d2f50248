import fc from 'fast-check'
import { expect, it } from 'vitest'
import { returnPath } from '../../../src/auth/openid/transaction.ts'

const ORIGIN = 'https://app.example'

it('sends nobody to another site, whatever the way back is said to be', () => {
  const piece = fc.constantFrom(
    '/',
    '//',
    '\\',
    '..',
    '.',
    '@',
    ':',
    'evil.example',
    '%2f',
    '%5c',
    '\t',
    '\n',
    '?',
    '#',
    'https:',
    'a',
  )
  const text = fc.oneof(
    fc.array(piece, { maxLength: 8 }).map((list) => `/${list.join('')}`),
    fc.webUrl(),
    fc.string(),
  )
  fc.assert(
    fc.property(text, (said) => {
      const path = returnPath(ORIGIN, said)
      if (path === undefined) return
      // As a browser reads it, by itself and behind the origin.
      expect(new URL(path, `${ORIGIN}/auth/openid/acme/callback`).origin).toBe(ORIGIN)
      expect(new URL(`${ORIGIN}${path}`).origin).toBe(ORIGIN)
    }),
    { numRuns: 5000 },
  )
})

it.each([
  ['/', '/'],
  ['/invoices?page=2#top', '/invoices?page=2#top'],
  ['/a/../b', '/b'],
  ['/ä b', '/%C3%A4%20b'],
])('keeps %j as a way back', (said, path) => {
  expect(returnPath(ORIGIN, said)).toBe(path)
})
