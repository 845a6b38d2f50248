/** Width and height of a picture, in pixels. */
export interface Dimensions {
  readonly width: number
  readonly height: number
}

/** How much of a picture to read: a JPEG keeps its size behind metadata, which may be long. */
export const DIMENSION_BYTES: number = 512 * 1024

function png(view: DataView): Dimensions | undefined {
  if (view.byteLength < 24 || view.getUint32(12) !== 0x49484452) return undefined
  return { width: view.getUint32(16), height: view.getUint32(20) }
}

function gif(view: DataView): Dimensions | undefined {
  if (view.byteLength < 10) return undefined
  return { width: view.getUint16(6, true), height: view.getUint16(8, true) }
}

function jpeg(view: DataView): Dimensions | undefined {
  let at = 2
  while (at + 9 <= view.byteLength) {
    if (view.getUint8(at) !== 0xff) return undefined
    const marker = view.getUint8(at + 1)
    if (marker === 0xff) {
      at += 1 // fill bytes may stand before a marker
      continue
    }
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2
      continue
    }
    if (marker === 0xd9 || marker === 0xda) return undefined
    // Start of frame: every one but the Huffman, JPEG-extension and arithmetic tables.
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) }
    }
    const length = view.getUint16(at + 2)
    if (length < 2) return undefined
    at += 2 + length
  }
  return undefined
}

function webp(view: DataView): Dimensions | undefined {
  if (view.byteLength < 30) return undefined
  switch (view.getUint32(12)) {
    case 0x56503820: // "VP8 ": lossy
      if (view.getUint8(23) !== 0x9d || view.getUint8(24) !== 0x01 || view.getUint8(25) !== 0x2a)
        return undefined
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }
    case 0x5650384c: {
      // "VP8L": lossless
      if (view.getUint8(20) !== 0x2f) return undefined
      const bits = view.getUint32(21, true)
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
    }
    case 0x56503858: // "VP8X": extended
      return {
        width: (view.getUint16(24, true) | (view.getUint8(26) << 16)) + 1,
        height: (view.getUint16(27, true) | (view.getUint8(29) << 16)) + 1,
      }
    default:
      return undefined
  }
}

const READERS: Readonly<Record<string, (view: DataView) => Dimensions | undefined>> = {
  'image/png': png,
  'image/gif': gif,
  'image/jpeg': jpeg,
  'image/webp': webp,
}

/** Whether the size of a picture of this type can be read from its head. */
export function hasDimensions(type: string): boolean {
  return type in READERS
}

/** The size of a picture by its head, without decoding it; undefined when the head is not a sound one. */
export function dimensions(type: string, head: Uint8Array): Dimensions | undefined {
  const found = READERS[type]?.(new DataView(head.buffer, head.byteOffset, head.byteLength))
  return found !== undefined && found.width > 0 && found.height > 0 ? found : undefined
}
