import { describe, expect, it } from 'vitest'
import { agreeOnType, essence, HEAD_BYTES, sniff } from '../../../src/uploads/sniff.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const hex = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value.replaceAll(' ', ''), 'hex'))

describe('the bytes of a file', () => {
  it.each([
    ['89504e470d0a1a0a 0000000d', 'image/png'],
    ['ffd8ffe0 0010', 'image/jpeg'],
    ['47494638396101000100', 'image/gif'],
    ['52494646 24000000 57454250 56503820', 'image/webp'],
    ['52494646 24000000 57415645', 'audio/wav'],
    ['255044462d312e37', 'application/pdf'],
    ['00000020 66747970 61766966 00000000', 'image/avif'],
    ['00000020 66747970 69736f6d 00000000', 'video/mp4'],
    ['1a45dfa3 9f428681 01 42f781 01 4282 84 7765626d', 'video/webm'],
    ['504b0304 14000000', 'application/zip'],
  ])('%s is %s', (bytes, type) => {
    expect(sniff(hex(bytes))).toBe(type)
  })

  it('tell an Office document from any other archive', () => {
    const head = text('PK\x03\x04....[Content_Types].xml....PK\x03\x04....word/document.xml')
    expect(sniff(head)).toBe('application/vnd.openxmlformats-officedocument.wordprocessingml.document')
    expect(sniff(text('PK\x03\x04....word/notes.txt'))).toBe('application/zip')
  })

  it.each([
    '<!DOCTYPE html><title>x</title>',
    '\ufeff  \n<HTML>',
    '<!-- hi --><script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
  ])('%j is HTML, whatever it is called', (page) => {
    expect(sniff(text(page))).toBe('text/html')
  })

  it.each([
    '<svg xmlns="http://www.w3.org/2000/svg">',
    '<?xml version="1.0"?><!-- a --><svg onload="x()"/>',
    '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x"><svg/>',
  ])('%j is SVG', (picture) => {
    expect(sniff(text(picture))).toBe('image/svg+xml')
  })

  it('are unknown when they are neither a known format nor clean text', () => {
    expect(sniff(hex('4d5a9000 03000000'))).toBeUndefined()
    expect(sniff(hex('ff fe 00 01 02'))).toBeUndefined()
    expect(sniff(text('a\u0000b'))).toBeUndefined()
  })

  it('are text even when the head ends inside a character', () => {
    const head = text('é'.repeat(HEAD_BYTES)).subarray(0, HEAD_BYTES - 1)
    expect(sniff(head)).toBe('text')
  })
})

describe('the type of an upload', () => {
  const png = hex('89504e470d0a1a0a 0000000d')

  it('is what the bytes say, when nothing else was declared', () => {
    expect(agreeOnType(png, undefined, ['image/png'])).toEqual({ ok: true, type: 'image/png' })
  })

  it('is refused when the client declared another', () => {
    expect(agreeOnType(png, 'image/jpeg', ['image/png', 'image/jpeg']).ok).toBe(false)
  })

  it('is refused when the kind does not allow it, whatever the client declared', () => {
    expect(agreeOnType(text('<svg/>'), 'image/png', ['image/png']).ok).toBe(false)
    expect(agreeOnType(text('<html>'), 'text/plain', ['text/plain']).ok).toBe(false)
  })

  it('is the declared one among kinds of plain text, which no byte tells apart', () => {
    expect(agreeOnType(text('a,b\n1,2'), 'text/csv', ['text/csv', 'text/plain'])).toEqual({
      ok: true,
      type: 'text/csv',
    })
    expect(agreeOnType(text('a,b'), undefined, ['image/png', 'text/csv'])).toEqual({
      ok: true,
      type: 'text/csv',
    })
    expect(agreeOnType(text('a,b'), 'image/png', ['image/png', 'text/csv']).ok).toBe(false)
  })

  it('is compared under its usual name, without parameters', () => {
    expect(essence('Image/JPG; q=1')).toBe('image/jpeg')
    expect(essence('application/octet-stream')).toBeUndefined()
    expect(essence('')).toBeUndefined()
    expect(essence(null)).toBeUndefined()
  })
})
