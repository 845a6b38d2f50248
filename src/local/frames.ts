/** One WebSocket message as the reader saw it go by. */
export interface SeenMessage {
  /** First bytes of the payload, unmasked; at most {@link PEEK} of them. */
  readonly payload: Buffer
}

/** How much of a message is kept for looking into. */
const PEEK = 65_536

/**
 * Follows the frames of RFC 6455, section 5.2, in a stream of bytes and tells of each data message that begins
 * and ends. Control frames are passed over. It changes nothing: the bytes go where they were going.
 */
export class FrameReader {
  #header: Buffer = Buffer.alloc(0)
  #left = 0
  #mask: Buffer | undefined
  #offset = 0
  #control = false
  #final = true
  #chunks: Buffer[] = []
  #kept = 0

  /** Takes the next bytes; returns the data messages that ended in them. */
  read(bytes: Buffer): SeenMessage[] {
    const seen: SeenMessage[] = []
    let rest = bytes
    while (rest.length > 0 || (this.#left === 0 && this.#header.length > 0)) {
      if (this.#left > 0) {
        const part = rest.subarray(0, this.#left)
        this.#keep(part)
        this.#left -= part.length
        rest = rest.subarray(part.length)
        if (this.#left === 0) this.#end(seen)
        continue
      }
      const buffered = Buffer.concat([this.#header, rest])
      const size = headerSize(buffered)
      if (size === undefined || buffered.length < size) {
        this.#header = buffered
        return seen
      }
      this.#begin(buffered.subarray(0, size))
      rest = buffered.subarray(size)
      this.#header = Buffer.alloc(0)
      if (this.#left === 0) this.#end(seen)
    }
    return seen
  }

  #begin(header: Buffer): void {
    const first = header.readUInt8(0)
    const second = header.readUInt8(1)
    const short = second & 0x7f
    this.#control = (first & 0x08) !== 0
    this.#final = (first & 0x80) !== 0
    this.#left =
      short === 126 ? header.readUInt16BE(2) : short === 127 ? Number(header.readBigUInt64BE(2)) : short
    this.#mask = (second & 0x80) === 0 ? undefined : Buffer.from(header.subarray(header.length - 4))
    this.#offset = 0
  }

  #keep(part: Buffer): void {
    if (!this.#control && this.#kept < PEEK) {
      const copy = Buffer.from(part.subarray(0, PEEK - this.#kept))
      const mask = this.#mask
      if (mask)
        for (let i = 0; i < copy.length; i++) copy[i] = (copy[i] ?? 0) ^ (mask[(this.#offset + i) & 3] ?? 0)
      this.#chunks.push(copy)
      this.#kept += copy.length
    }
    this.#offset += part.length
  }

  #end(seen: SeenMessage[]): void {
    if (this.#control || !this.#final) return
    seen.push({ payload: Buffer.concat(this.#chunks) })
    this.#chunks = []
    this.#kept = 0
  }
}

function headerSize(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined
  const second = bytes.readUInt8(1)
  const short = second & 0x7f
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4)
}
