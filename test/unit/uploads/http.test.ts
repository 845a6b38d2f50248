import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answer } from '../../../src/uploads/conditional.ts'
import { sha256Field, toDigestField } from '../../../src/uploads/digest-fields.ts'
import { cleanFileName, contentDisposition, fittingName } from '../../../src/uploads/file-name.ts'

const stored = { etag: '"abc"', lastModified: new Date('2026-11-01T10:00:00.500Z'), size: 1000 }
const ask = (headers: Record<string, string>) => answer(new Headers(headers), stored)

describe('preconditions', () => {
  it('answer 304 for what the client has', () => {
    expect(ask({ 'if-none-match': '"abc"' }).status).toBe(304)
    expect(ask({ 'if-none-match': 'W/"abc", "other"' }).status).toBe(304)
    expect(ask({ 'if-none-match': '*' }).status).toBe(304)
    expect(ask({ 'if-modified-since': 'Sun, 01 Nov 2026 10:00:00 GMT' }).status).toBe(304)
  })

  it('let If-None-Match decide over If-Modified-Since', () => {
    const headers = { 'if-none-match': '"other"', 'if-modified-since': 'Sun, 01 Nov 2026 10:00:00 GMT' }
    expect(ask(headers).status).toBe(200)
  })

  it('answer 412 when the client means another version', () => {
    expect(ask({ 'if-match': '"other"' }).status).toBe(412)
    expect(ask({ 'if-match': 'W/"abc"' }).status).toBe(412)
    expect(ask({ 'if-match': '"x", "abc"' }).status).toBe(200)
    expect(ask({ 'if-unmodified-since': 'Sun, 01 Nov 2026 09:00:00 GMT' }).status).toBe(412)
  })

  it('ignore dates that are none', () => {
    expect(ask({ 'if-modified-since': 'yesterday' }).status).toBe(200)
  })
})

describe('ranges', () => {
  it.each([
    ['bytes=0-0', { status: 206, start: 0, end: 0 }],
    ['bytes=500-', { status: 206, start: 500, end: 999 }],
    ['bytes=990-2000', { status: 206, start: 990, end: 999 }],
    ['bytes=-10', { status: 206, start: 990, end: 999 }],
    ['bytes=-5000', { status: 206, start: 0, end: 999 }],
    ['bytes=1000-', { status: 416 }],
    ['bytes=-0', { status: 416 }],
    ['bytes=5-2', { status: 200 }],
    ['bytes=0-1,5-6', { status: 200 }],
    ['lines=0-1', { status: 200 }],
    ['bytes=-', { status: 200 }],
  ])('%s', (range, expected) => {
    expect(ask({ range })).toEqual(expected)
  })

  it('are ignored when If-Range names another version', () => {
    expect(ask({ range: 'bytes=0-1', 'if-range': '"old"' })).toEqual({ status: 200 })
    expect(ask({ range: 'bytes=0-1', 'if-range': 'W/"abc"' })).toEqual({ status: 200 })
    expect(ask({ range: 'bytes=0-1', 'if-range': '"abc"' }).status).toBe(206)
    expect(ask({ range: 'bytes=0-1', 'if-range': 'Sun, 01 Nov 2026 10:00:00 GMT' }).status).toBe(206)
  })

  it('never reach outside of the file', () => {
    fc.assert(
      fc.property(fc.option(fc.nat(3000)), fc.option(fc.nat(3000)), (first, last) => {
        const verdict = ask({ range: `bytes=${first ?? ''}-${last ?? ''}` })
        if (verdict.status === 206) {
          expect(verdict.start).toBeGreaterThanOrEqual(0)
          expect(verdict.start).toBeLessThanOrEqual(verdict.end)
          expect(verdict.end).toBeLessThan(stored.size)
        }
      }),
    )
  })
})

describe('digest fields (RFC 9530)', () => {
  const hex = 'd435ed0bd4e5e1c0d1e2d3c4b5a697887766554433221100ffeeddccbbaa9988'

  it('carry a SHA-256 there and back', () => {
    expect(sha256Field(toDigestField(hex))).toBe(hex)
    expect(sha256Field(`sha-512=:AAAA:, ${toDigestField(hex)}`)).toBe(hex)
  })

  it('tell what is absent from what is unreadable', () => {
    expect(sha256Field(null)).toBeUndefined()
    expect(sha256Field('md5=:AAAA:')).toBeUndefined()
    expect(sha256Field('sha-256=abc')).toBeNull()
    expect(sha256Field('sha-256=:AAAA:')).toBeNull()
  })
})

describe('file names', () => {
  it.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\me\\photo.png', 'photo.png'],
    ['photo\u202egpj.exe', 'photogpj.exe'],
    ['a\u0000b\r\nc.txt', 'abc.txt'],
    ['.htaccess', 'htaccess'],
    ['   ', 'file'],
    [undefined, 'file'],
  ])('%j becomes %j', (name, clean) => {
    expect(cleanFileName(name)).toBe(clean)
  })

  it('keep their extension when they are cut', () => {
    const clean = cleanFileName(`${'文'.repeat(500)}.pdf`)
    expect([...clean]).toHaveLength(200)
    expect(clean.endsWith('文.pdf')).toBe(true)
  })

  it('are safe in a header, whatever they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
        const value = contentDisposition('attachment', cleanFileName(name))
        expect(() => new Headers({ 'content-disposition': value })).not.toThrow()
        expect(value).toMatch(
          /^attachment; filename="[^"\\%]*"(; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]*)?$/,
        )
      }),
    )
  })

  it('are given in UTF-8 beside a plain form (RFC 6266)', () => {
    expect(contentDisposition('inline', 'søren (1).png')).toBe(
      `inline; filename="s_ren (1).png"; filename*=UTF-8''s%C3%B8ren%20%281%29.png`,
    )
    expect(contentDisposition('attachment', 'a.png')).toBe('attachment; filename="a.png"')
  })
})

it.each([
  ['holiday.png', 'image/png', 'holiday.png'],
  ['holiday.JPG', 'image/jpeg', 'holiday.JPG'],
  ['holiday.exe', 'image/png', 'holiday.exe.png'],
  ['page.html', 'text/plain', 'page.html.txt'],
  ['notes', 'text/plain', 'notes.txt'],
  ['strange.x', 'image/heic', 'strange.x'],
])('hands %s, which is %s, out as %s', (name, type, handed) => {
  expect(fittingName(name, type)).toBe(handed)
})
