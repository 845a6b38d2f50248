/** Follows the nesting of JSON through its bytes, however they are cut into chunks. */
export class JsonDepth {
  readonly #limit: number
  #depth = 0
  #inString = false
  #escaped = false

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether the text so far stays within the limit. */
  accepts(chunk: Uint8Array): boolean {
    let depth = this.#depth
    let inString = this.#inString
    let escaped = this.#escaped
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]
      if (inString) {
        if (escaped) escaped = false
        else if (byte === 0x5c) escaped = true
        else if (byte === 0x22) inString = false
      } else if (byte === 0x22) inString = true
      else if (byte === 0x7b || byte === 0x5b) {
        if (++depth > this.#limit) return false
      } else if ((byte === 0x7d || byte === 0x5d) && depth > 0) depth--
    }
    this.#depth = depth
    this.#inString = inString
    this.#escaped = escaped
    return true
  }
}
