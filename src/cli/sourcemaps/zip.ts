import { crc32, deflateRawSync } from 'node:zlib'

/** A file of an archive. */
export interface ZipEntry {
  readonly name: string
  readonly bytes: Buffer
}

// 1 January 1980: the same content makes the same archive.
const DATE = 0x21
const UTF8 = 0x0800

/**
 * A ZIP archive (APPNOTE 6.3.9; deflated, no ZIP64), after some bytes of another format.
 * @throws RangeError above 65,535 files or 4 GB.
 */
export function zip(entries: readonly ZipEntry[], preamble: Buffer = Buffer.alloc(0)): Buffer {
  if (entries.length > 0xffff) throw new RangeError('Too many files for one archive')
  const parts: Buffer[] = [preamble]
  const directory: Buffer[] = []
  let at = preamble.length
  for (const { name, bytes } of entries) {
    const path = Buffer.from(name)
    const packed = deflateRawSync(bytes)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(UTF8, 2)
    common.writeUInt16LE(8, 4)
    common.writeUInt16LE(0, 6)
    common.writeUInt16LE(DATE, 8)
    common.writeUInt32LE(crc32(bytes), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(bytes.length, 18)
    common.writeUInt16LE(path.length, 22)
    parts.push(Buffer.from('PK\x03\x04', 'latin1'), common, path, packed)
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(at, 10)
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, rest, path)
    at += 30 + path.length + packed.length
    if (at > 0xffff_ffff) throw new RangeError('Too much for one archive')
  }
  const index = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 0, 'latin1')
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(index.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, index, end])
}
