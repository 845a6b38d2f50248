import { expect, it } from 'vitest'
import { dimensions } from '../../../src/uploads/dimensions.ts'
import { createUploads, type UploadsOptions } from '../../../src/uploads/index.ts'
import { canMove, sourcesOf, UPLOAD_STATES, weighs } from '../../../src/uploads/state.ts'

it('publishes nothing that was not scanned, and scans nothing that did not come whole', () => {
  expect(sourcesOf('published')).toEqual(['scanned'])
  expect(sourcesOf('scanned')).toEqual(['quarantined'])
  expect(sourcesOf('quarantined')).toEqual(['receiving'])
})

it('never leaves a state that gave its room back for one that uses room', () => {
  for (const from of UPLOAD_STATES) {
    for (const to of UPLOAD_STATES) {
      if (canMove(from, to) && weighs(from) === 'nothing') expect(weighs(to)).toBe('nothing')
    }
  }
})

it('can end from every state but the last', () => {
  for (const state of UPLOAD_STATES) {
    const ends = canMove(state, 'rejected') || canMove(state, 'deleted')
    expect(ends).toBe(state !== 'deleted')
  }
})

const hex = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value.replaceAll(' ', ''), 'hex'))

it.each([
  ['image/png', '89504e470d0a1a0a 0000000d 49484452 00000280 000001e0 08060000 00', 640, 480],
  ['image/gif', '474946383961 8002 e001 f7', 640, 480],
  // Metadata of any length, fill bytes and a comment come before the frame.
  [
    'image/jpeg',
    'ffd8 ffe1 0006 45786966 ff ffe0 0004 4a46 fffe 0003 41 ffc2 0011 08 01e0 0280 03',
    640,
    480,
  ],
  ['image/webp', '52494646 00000000 57454250 56503820 00000000 300100 9d012a 8002 e001 00', 640, 480],
  ['image/webp', '52494646 00000000 57454250 5650384c 00000000 2f 7fc27700 0000000000', 640, 480],
  ['image/webp', '52494646 00000000 57454250 56503858 0a000000 00000000 7f0200 df0100', 640, 480],
])('reads the size of a picture of type %s from its head', (type, bytes, width, height) => {
  expect(dimensions(type, hex(bytes))).toEqual({ width, height })
})

it('has no size for a picture that is cut off or empty', () => {
  const png = hex('89504e470d0a1a0a 0000000d 49484452 00000280 000001e0 08')
  for (let length = 0; length < 24; length++)
    expect(dimensions('image/png', png.subarray(0, length))).toBeUndefined()
  expect(dimensions('image/jpeg', hex('ffd8 ffe1 ffff 00'))).toBeUndefined()
  expect(dimensions('image/jpeg', hex('ffd8 ffe1 0000 ffc0 0011 08 01e0 0280'))).toBeUndefined()
  expect(
    dimensions('image/png', hex('89504e470d0a1a0a 0000000d 49484452 00000000 000001e0 08')),
  ).toBeUndefined()
})

it('refuses wrong options when it is built', () => {
  const build = (options: Partial<UploadsOptions>) => () =>
    createUploads({
      db: {} as UploadsOptions['db'],
      bucket: {} as R2Bucket,
      owner: () => undefined,
      kinds: { avatar: { types: ['image/png'], maxBytes: 10 } },
      ...options,
    })
  expect(build({})).not.toThrow()
  expect(build({ kinds: {} })).toThrow('at least one kind')
  expect(build({ kinds: { a: { types: [], maxBytes: 1 } } })).toThrow('allows no type')
  expect(build({ kinds: { a: { types: ['image/*'], maxBytes: 1 } } })).toThrow('cannot be told by its bytes')
  expect(build({ kinds: { a: { types: ['image/png'], maxBytes: 0 } } })).toThrow('maxBytes')
  expect(build({ kinds: { '../x': { types: ['image/png'], maxBytes: 1 } } })).toThrow('needs a name')
  expect(build({ inline: ['image/svg+xml'] })).toThrow('never be shown inline')
  expect(build({ prefix: 'x' })).toThrow('must end in a slash')
  expect(build({ quota: { bytes: 0 } })).toThrow('quota.bytes')
  expect(build({ stallTimeout: 'soon' as never })).toThrow('not a duration')
})
