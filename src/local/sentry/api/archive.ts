import { crc32, inflateRawSync } from 'node:zlib'

const MOST = 256 * 1024 * 1024

/** The files of a ZIP archive by their names. @throws Error when it is none, or damaged. */
export function unzip(bytes: Buffer): Map<string, Buffer> {
  const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  if (end === -1 || end + 22 > bytes.length) throw new Error('File is not a zip file')
  const files = new Map<string, Buffer>()
  let at = bytes.readUInt32LE(end + 16)
  let left = MOST
  for (let n = bytes.readUInt16LE(end + 10); n > 0; n--) {
    if (bytes.toString('latin1', at, at + 4) !== 'PK\x01\x02')
      throw new Error('Bad magic number for central directory')
    const method = bytes.readUInt16LE(at + 10)
    const [packed, size] = [bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 24)]
    const nameLength = bytes.readUInt16LE(at + 28)
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength)
    const local = bytes.readUInt32LE(at + 42)
    const from = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28)
    const stored = bytes.subarray(from, from + packed)
    left -= size
    if (left < 0) throw new Error('The archive is too large')
    const content = method === 0 ? stored : inflateRawSync(stored, { maxOutputLength: size + 1 })
    if (content.length !== size || crc32(content) !== bytes.readUInt32LE(at + 16))
      throw new Error(`Bad CRC-32 for file ${name}`)
    files.set(name, content)
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32)
  }
  return files
}
