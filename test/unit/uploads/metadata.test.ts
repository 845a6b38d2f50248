import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findDirectory, readDirectory } from '../../../src/uploads/archive.ts'
import { clamavScan } from '../../../src/uploads/clamav.ts'
import { dimensions } from '../../../src/uploads/dimensions.ts'
import { stripMetadata } from '../../../src/uploads/metadata.ts'
import { zip } from '../../system/uploads/files.ts'

const harbour = readFileSync(join(import.meta.dirname, '../../fixtures/harbour.jpg'))
const thumbnail = readFileSync(join(import.meta.dirname, '../../fixtures/thumbnail.png'))
const SECRET = 'GPS 59.9139 10.7522'
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('latin1')

/** An Exif block that turns the picture and holds a secret behind. */
function exif(orientation: number, little: boolean): Buffer {
  const tiff = Buffer.alloc(26)
  tiff.write(little ? 'II' : 'MM')
  const u16 = (value: number, at: number) =>
    little ? tiff.writeUInt16LE(value, at) : tiff.writeUInt16BE(value, at)
  const u32 = (value: number, at: number) =>
    little ? tiff.writeUInt32LE(value, at) : tiff.writeUInt32BE(value, at)
  u16(42, 2)
  u32(8, 4)
  u16(1, 8)
  u16(0x0112, 10)
  u16(3, 12)
  u32(1, 14)
  u16(orientation, 18)
  return Buffer.concat([Buffer.from('Exif\0\0'), tiff, Buffer.from(SECRET)])
}

function segment(marker: number, body: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0])
  head.writeUInt16BE(body.length + 2, 2)
  return Buffer.concat([head, body])
}

function chunk(name: string, body: Buffer): Buffer {
  const out = Buffer.alloc(12 + body.length)
  out.writeUInt32BE(body.length, 0)
  out.write(name, 4)
  body.copy(out, 8)
  return out
}

describe('a picture without its metadata', () => {
  it.each([true, false])(
    'JPEG: no place, no comment, nothing behind its end, but turned right (little-endian %s)',
    (little) => {
      const dirty = Buffer.concat([
        harbour.subarray(0, 2),
        segment(0xe1, exif(6, little)),
        segment(0xe1, Buffer.from(`http://ns.adobe.com/xap/1.0/\0${SECRET}`)),
        segment(0xed, Buffer.from(SECRET)),
        segment(0xfe, Buffer.from(SECRET)),
        harbour.subarray(2),
        Buffer.from(`<script>${SECRET}</script>`),
      ])
      const clean = stripMetadata('image/jpeg', dirty)
      expect(text(clean)).not.toContain('GPS')
      expect(text(clean)).not.toContain('<script>')
      expect(dimensions('image/jpeg', clean ?? new Uint8Array())).toEqual({ width: 640, height: 427 })
      // Orientation 6, in a block of its own.
      expect(text(clean)).toContain('Exif\0\0MM\0*')
      // A second time there is nothing left to take.
      expect(stripMetadata('image/jpeg', clean ?? new Uint8Array())).toEqual(clean)
    },
  )

  it('PNG: text and Exif go, the picture stays byte for byte', () => {
    const dirty = Buffer.concat([
      thumbnail.subarray(0, 33),
      chunk('eXIf', Buffer.from(SECRET)),
      chunk('iTXt', Buffer.from(SECRET)),
      thumbnail.subarray(33),
      Buffer.from(`PK\u0003\u0004${SECRET}`),
    ])
    const clean = stripMetadata('image/png', dirty)
    expect(text(clean)).toBe(text(stripMetadata('image/png', thumbnail)))
    expect(text(clean)).not.toContain('GPS')
  })

  it('WebP: Exif and XMP go, and are no longer announced', () => {
    const riff = (name: string, body: Buffer): Buffer => {
      const head = Buffer.alloc(8)
      head.write(name)
      head.writeUInt32LE(body.length, 4)
      return Buffer.concat([head, body, Buffer.alloc(body.length & 1)])
    }
    const extended = Buffer.alloc(10)
    extended[0] = 0x2c
    const body = [
      riff('VP8X', extended),
      riff('ICCP', Buffer.from('profile')),
      riff('EXIF', Buffer.from(SECRET)),
      riff('XMP ', Buffer.from(SECRET)),
    ]
    const dirty = riff('RIFF', Buffer.concat([Buffer.from('WEBP'), ...body]))
    const clean = stripMetadata('image/webp', dirty) ?? new Uint8Array()
    expect(text(clean)).not.toContain('GPS')
    expect(text(clean)).toContain('profile')
    expect(clean[20]).toBe(0x20)
    expect(Buffer.from(clean).readUInt32LE(4)).toBe(clean.length - 8)
  })

  it('never throws, and never grows by more than a turn, whatever the bytes', () => {
    const types = fc.constantFrom('image/jpeg', 'image/png', 'image/webp')
    fc.assert(
      fc.property(
        types,
        fc.constantFrom(harbour, thumbnail),
        fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 20 }),
        fc.nat(),
        (type, base, edits, cut) => {
          const bytes = Uint8Array.from(base.subarray(0, cut % (base.length + 1)))
          for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value
          expect((stripMetadata(type, bytes)?.length ?? 0) <= bytes.length + 40).toBe(true)
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('a zip', () => {
  const look = (bytes: Uint8Array) => {
    const found = findDirectory(bytes, bytes.length)
    return found && readDirectory(bytes.subarray(found.offset, found.offset + found.length))
  }
  const packed = deflateRawSync(Buffer.alloc(1_000_000))

  it('tells how much it unpacks to', () => {
    expect(
      look(
        zip([
          ['a', packed, 1_000_000],
          ['b', packed, 1_000_000],
        ]),
      ),
    ).toEqual({ files: 2, unpacked: 2_000_000 })
    expect(look(zip([]))).toEqual({ files: 0, unpacked: 0 })
  })

  it('whose files share their bytes is refused, as is one with something before, behind or missing', () => {
    const good = Buffer.from(zip([['a', packed, 1_000_000]]))
    expect(
      look(
        zip(
          [
            ['a', packed, 9],
            ['b', packed, 9],
          ],
          true,
        ),
      ),
    ).toBeUndefined()
    expect(look(Buffer.concat([Buffer.from('GIF89a'), good]))).toBeUndefined()
    expect(look(good.subarray(0, good.length - 22))).toBeUndefined()
    expect(look(Buffer.alloc(100))).toBeUndefined()
  })
})

it('ClamAV: clean, infected, and out of order, which is neither', async () => {
  const subject = {
    id: '',
    kind: '',
    type: '',
    size: 4,
    sha256: '',
    open: async () => new Blob(['test']).stream(),
  }
  const answering = (status: number) =>
    clamavScan({
      endpoint: 'http://clamav.internal/v2/scan',
      fetch: async () => new Response('', { status }),
    })
  const { signal } = new AbortController()
  expect(await answering(200)(subject, { signal })).toEqual({ ok: true })
  expect(await answering(406)(subject, { signal })).toEqual({ ok: false, reason: 'malware' })
  await expect(answering(500)(subject, { signal })).rejects.toThrow()
  expect(() => clamavScan({ endpoint: 'nonsense' })).toThrow(TypeError)
})
