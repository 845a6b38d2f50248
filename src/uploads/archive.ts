/** What a zip says it holds, by its central directory. */
export interface ArchiveSummary {
  readonly files: number
  /** Bytes when unpacked, as announced. */
  readonly unpacked: number
}

/** How much of the end to read to find where the directory is: a comment may stand behind it. */
export const ARCHIVE_TAIL_BYTES: number = 22 + 65_535

/** Where the central directory of a zip is, by the end of the file; undefined when there is none, or a Zip64 one. */
export function findDirectory(
  tail: Uint8Array,
  size: number,
): { readonly offset: number; readonly length: number } | undefined {
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength)
  for (let at = tail.length - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== 0x06054b50) continue
    // A comment of the length that is announced may stand behind, and nothing else.
    if (at + 22 + view.getUint16(at + 20, true) !== tail.length) continue
    const [length, offset] = [view.getUint32(at + 12, true), view.getUint32(at + 16, true)]
    const end = size - tail.length + at
    // Bytes between the directory and its end, or before the first file, hide something.
    return offset + length === end ? { offset, length } : undefined
  }
  return undefined
}

/**
 * Adds up what a directory announces. Undefined when it is malformed. Sizes are announced by whoever made the file, so
 * whoever unpacks must still count; but a bomb that lies about its size is refused by every unpacker.
 */
export function readDirectory(directory: Uint8Array): ArchiveSummary | undefined {
  const view = new DataView(directory.buffer, directory.byteOffset, directory.byteLength)
  let [files, unpacked, at] = [0, 0, 0]
  const starts = new Set<number>()
  while (at < directory.length) {
    if (at + 46 > directory.length || view.getUint32(at, true) !== 0x02014b50) return undefined
    const start = view.getUint32(at + 42, true)
    // Files that share bytes are how a small archive unpacks to petabytes without any ratio telling.
    if (starts.has(start)) return undefined
    starts.add(start)
    files += 1
    unpacked += view.getUint32(at + 24, true)
    at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
  }
  return { files, unpacked }
}
