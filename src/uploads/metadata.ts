/**
 * Takes out of pictures what tells about the person behind them: where they were taken, with what, when, by whom.
 * Segments are dropped, pixels are not touched; what shows the picture right (orientation, colour profile) stays.
 */

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

const ascii = (bytes: Uint8Array, from: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(from, from + length))

/** The orientation in an Exif block: 1 to 8, or undefined. */
function orientation(exif: Uint8Array): number | undefined {
  if (ascii(exif, 0, 6) !== 'Exif\0\0' || exif.length < 14) return undefined
  const view = new DataView(exif.buffer, exif.byteOffset + 6, exif.byteLength - 6)
  const little = view.getUint16(0) === 0x4949
  const first = view.getUint32(4, little)
  if (first + 2 > view.byteLength) return undefined
  const count = view.getUint16(first, little)
  for (let i = 0; i < count; i++) {
    const at = first + 2 + i * 12
    if (at + 12 > view.byteLength) return undefined
    if (view.getUint16(at, little) !== 0x0112) continue
    const value = view.getUint16(at + 8, little)
    return value >= 2 && value <= 8 ? value : undefined
  }
  return undefined
}

/** An APP1 segment that says how to turn the picture, and nothing else. */
function orientationSegment(value: number): Uint8Array {
  const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, value, 0, 0, 0, 0, 0, 0]
  return Uint8Array.from([0xff, 0xe1, 0, tiff.length + 8, 0x45, 0x78, 0x69, 0x66, 0, 0, ...tiff])
}

function jpeg(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const kept: Uint8Array[] = [bytes.subarray(0, 2)]
  let at = 2
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) return undefined
    const marker = bytes[at + 1] as number
    if (marker === 0xff) {
      at += 1
      continue
    }
    // The scan: from here on pictures only, up to the end of this one. What hangs behind it is not the picture.
    if (marker === 0xda) {
      const end = endOfImage(bytes, at)
      if (end === undefined) return undefined
      kept.push(bytes.subarray(at, end))
      return join(kept)
    }
    const length = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
    const end = at + 2 + length
    if (length < 2 || end > bytes.length) return undefined
    const segment = bytes.subarray(at, end)
    if (marker === 0xe1) {
      const turned = orientation(segment.subarray(4))
      if (turned !== undefined) kept.push(orientationSegment(turned))
    } else if (!(marker === 0xfe || (marker >= 0xe3 && marker <= 0xef && marker !== 0xee))) {
      // APP0 (JFIF), APP2 (colour profile) and APP14 (Adobe's colours) show the picture right. APP2 may hold an MPF
      // index as well, which points to pictures behind this one.
      if (!(marker === 0xe2 && ascii(segment, 4, 4) !== 'ICC_')) kept.push(segment)
    }
    at = end
  }
  return undefined
}

/** Behind the end-of-image marker that belongs to the scan at `at`, over progressive scans and restarts. */
function endOfImage(bytes: Uint8Array, from: number): number | undefined {
  for (
    let at = bytes.indexOf(0xff, from + 2);
    at !== -1 && at + 1 < bytes.length;
    at = bytes.indexOf(0xff, at + 1)
  ) {
    if (bytes[at + 1] === 0xd9) return at + 2
  }
  return undefined
}

const PNG_DROPPED = new Set(['eXIf', 'tEXt', 'zTXt', 'iTXt', 'tIME'])

function png(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const kept: Uint8Array[] = [bytes.subarray(0, 8)]
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + view.getUint32(at)
    if (end > bytes.length) return undefined
    const name = ascii(bytes, at + 4, 4)
    if (!PNG_DROPPED.has(name)) kept.push(bytes.subarray(at, end))
    if (name === 'IEND') return join(kept)
    at = end
  }
  return undefined
}

function webp(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const kept: Uint8Array[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const whole = Math.min(bytes.length, view.getUint32(4, true) + 8)
  for (let at = 12; at + 8 <= whole; ) {
    const length = view.getUint32(at + 4, true)
    const end = at + 8 + length + (length & 1)
    if (at + 8 + length > whole) return undefined
    const name = ascii(bytes, at, 4)
    if (name === 'VP8X') {
      const head = bytes.slice(at, end)
      // The flags that announce Exif and XMP.
      head[8] = (head[8] as number) & ~0x0c
      kept.push(head)
    } else if (name !== 'EXIF' && name !== 'XMP ') kept.push(bytes.subarray(at, Math.min(end, bytes.length)))
    at = end
  }
  if (kept.length === 0) return undefined
  const out = join([bytes.subarray(0, 12), ...kept])
  new DataView(out.buffer).setUint32(4, out.length - 8, true)
  return out
}

const STRIPPERS: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array<ArrayBuffer> | undefined>> = {
  'image/jpeg': jpeg,
  'image/png': png,
  'image/webp': webp,
}

/** Whether {@link stripMetadata} knows the type. */
export function canStrip(type: string): boolean {
  return Object.hasOwn(STRIPPERS, type)
}

/**
 * A picture without its metadata, and without what hangs behind its end. Undefined when it is not whole, or of a type
 * that is not known: then nothing is to be trusted about it.
 */
export function stripMetadata(type: string, bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  return bytes.length < 12 ? undefined : STRIPPERS[type]?.(bytes)
}
