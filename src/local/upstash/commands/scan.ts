import { globMatch } from '../glob.ts'
import { integer } from '../numbers.ts'
import { CommandError, ERRORS, type Reply } from '../reply.ts'

/** What follows the cursor of SCAN, HSCAN, SSCAN and ZSCAN. */
export interface ScanOptions {
  readonly count: number
  /** Whether a name passes `MATCH`. */
  matches(name: string): boolean
  /** `TYPE`, of SCAN only. */
  readonly type: string | undefined
}

/** Reads a cursor. */
export function scanCursor(text: string): number {
  if (!/^\d{1,20}$/.test(text)) throw new CommandError('ERR invalid cursor')
  return Number(text)
}

/** Reads `MATCH pattern`, `COUNT n` and, where allowed, `TYPE name`. */
export function scanOptions(words: string[], withType = false): ScanOptions {
  let count = 10
  let pattern: string | undefined
  let type: string | undefined
  for (let i = 0; i < words.length; i += 2) {
    const name = (words[i] as string).toUpperCase()
    const value = words[i + 1]
    if (value === undefined) throw new CommandError(ERRORS.syntax)
    if (name === 'COUNT') {
      count = integer(value)
      if (count < 1) throw new CommandError(ERRORS.syntax)
    } else if (name === 'MATCH') pattern = value
    else if (name === 'TYPE' && withType) type = value.toLowerCase()
    else throw new CommandError(ERRORS.syntax)
  }
  return {
    count,
    type,
    matches: (text) => pattern === undefined || pattern === '*' || globMatch(pattern, text),
  }
}

// Redis answers a small collection whole, whatever COUNT says.
const WHOLE = 128

/**
 * One page of a collection, in its own order. The cursor counts members, so members deleted between two pages
 * can hide others; Redis has the same weakness in its small encodings only, and they are answered whole here too.
 */
export function scanPage<T>(
  items: readonly T[],
  cursor: number,
  options: ScanOptions,
  name: (item: T) => string,
  flat: (item: T) => string[],
): Reply {
  const end = items.length <= WHOLE ? items.length : Math.min(items.length, cursor + options.count)
  const page = items.slice(items.length <= WHOLE ? 0 : cursor, end)
  return [
    end >= items.length ? '0' : String(end),
    page.filter((item) => options.matches(name(item))).flatMap(flat),
  ]
}
