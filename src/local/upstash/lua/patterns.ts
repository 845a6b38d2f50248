import type { Runtime } from './runtime.ts'
import type { LuaError, LuaValue } from './values.ts'

const MAX_CAPTURES = 32
const OPEN = -1
const POSITION = -2

/** Matches Lua patterns: a small backtracking matcher over bytes, charged to the script's budget. */
export class Matcher {
  readonly #runtime: Runtime
  readonly #source: string
  readonly #pattern: string
  #captures: { start: number; length: number }[] = []

  constructor(runtime: Runtime, source: string, pattern: string) {
    this.#runtime = runtime
    this.#source = source
    this.#pattern = pattern
  }

  /** Where a match that begins at `at` ends; -1 when there is none. */
  match(at: number, patternAt: number): number {
    this.#captures = []
    return this.#match(at, patternAt)
  }

  /** The captures of the last match; the whole match when the pattern has none. */
  captures(start: number, end: number, wholeIfNone = true): LuaValue[] {
    if (this.#captures.length === 0) return wholeIfNone ? [this.#source.slice(start, end)] : []
    return this.#captures.map((capture) => {
      if (capture.length === POSITION) return capture.start + 1
      if (capture.length === OPEN) throw this.#error('unfinished capture')
      return this.#source.slice(capture.start, capture.start + capture.length)
    })
  }

  #error(message: string): LuaError {
    return this.#runtime.error(message)
  }

  #match(start: number, startPattern: number): number {
    const source = this.#source
    const pattern = this.#pattern
    let s = start
    let p = startPattern
    for (;;) {
      this.#runtime.charge()
      const char = pattern[p]
      if (char === undefined) return s
      if (char === '(') {
        return pattern[p + 1] === ')' ? this.#open(s, p + 2, POSITION) : this.#open(s, p + 1, OPEN)
      }
      if (char === ')') return this.#close(s, p + 1)
      if (char === '$' && p + 1 === pattern.length) return s === source.length ? s : -1
      if (char === '%' && pattern[p + 1] === 'b') {
        s = this.#balance(s, p + 2)
        if (s < 0) return -1
        p += 4
        continue
      }
      if (char === '%' && pattern[p + 1] === 'f') {
        p += 2
        if (pattern[p] !== '[') throw this.#error("missing '[' after '%f' in pattern")
        const end = this.#classEnd(p)
        const before = s === 0 ? '\0' : (source[s - 1] as string)
        if (this.#inSet(before, p, end - 1) || !this.#inSet(source[s] ?? '\0', p, end - 1)) return -1
        p = end
        continue
      }
      if (char === '%' && /\d/.test(pattern[p + 1] ?? '')) {
        const again = this.#captured(pattern[p + 1] as string)
        if (!source.startsWith(again, s)) return -1
        s += again.length
        p += 2
        continue
      }
      const end = this.#classEnd(p)
      const suffix = pattern[end]
      if (suffix === '?') {
        if (this.#single(s, p, end)) {
          const found = this.#match(s + 1, end + 1)
          if (found >= 0) return found
        }
        p = end + 1
      } else if (suffix === '+') return this.#single(s, p, end) ? this.#most(s + 1, p, end) : -1
      else if (suffix === '*') return this.#most(s, p, end)
      else if (suffix === '-') return this.#least(s, p, end)
      else {
        if (!this.#single(s, p, end)) return -1
        s++
        p = end
      }
    }
  }

  #most(start: number, p: number, end: number): number {
    let count = 0
    while (this.#single(start + count, p, end)) {
      this.#runtime.charge()
      count++
    }
    for (; count >= 0; count--) {
      const found = this.#match(start + count, end + 1)
      if (found >= 0) return found
    }
    return -1
  }

  #least(start: number, p: number, end: number): number {
    for (let s = start; ; s++) {
      const found = this.#match(s, end + 1)
      if (found >= 0) return found
      if (!this.#single(s, p, end)) return -1
    }
  }

  #open(s: number, p: number, length: number): number {
    if (this.#captures.length >= MAX_CAPTURES) throw this.#error('too many captures')
    this.#captures.push({ start: s, length })
    const found = this.#match(s, p)
    if (found < 0) this.#captures.pop()
    return found
  }

  #close(s: number, p: number): number {
    const capture = this.#captures.findLast(({ length }) => length === OPEN)
    if (!capture) throw this.#error('invalid pattern capture')
    capture.length = s - capture.start
    const found = this.#match(s, p)
    if (found < 0) capture.length = OPEN
    return found
  }

  #captured(digit: string): string {
    const capture = this.#captures[Number(digit) - 1]
    if (!capture || capture.length === OPEN) throw this.#error('invalid capture index')
    return this.#source.slice(capture.start, capture.start + Math.max(0, capture.length))
  }

  #balance(s: number, p: number): number {
    const open = this.#pattern[p]
    const close = this.#pattern[p + 1]
    if (open === undefined || close === undefined) throw this.#error('unbalanced pattern')
    if (this.#source[s] !== open) return -1
    let depth = 1
    for (let i = s + 1; i < this.#source.length; i++) {
      if (this.#source[i] === close) {
        if (--depth === 0) return i + 1
      } else if (this.#source[i] === open) depth++
    }
    return -1
  }

  /** Where the single-character class that begins at `p` ends. */
  #classEnd(start: number): number {
    const pattern = this.#pattern
    let p = start
    const char = pattern[p++]
    if (char === '%') {
      if (p >= pattern.length) throw this.#error("malformed pattern (ends with '%')")
      return p + 1
    }
    if (char !== '[') return p
    if (pattern[p] === '^') p++
    do {
      if (p >= pattern.length) throw this.#error("malformed pattern (missing ']')")
      if (pattern[p++] === '%') p++
    } while (pattern[p] !== ']')
    return p + 1
  }

  #single(s: number, p: number, end: number): boolean {
    const char = this.#source[s]
    if (char === undefined) return false
    switch (this.#pattern[p]) {
      case '.':
        return true
      case '%':
        return inClass(char, this.#pattern[p + 1] as string)
      case '[':
        return this.#inSet(char, p, end - 1)
      default:
        return this.#pattern[p] === char
    }
  }

  /** @param end index of the closing bracket */
  #inSet(char: string, start: number, end: number): boolean {
    const pattern = this.#pattern
    let p = start + 1
    const wanted = pattern[p] !== '^'
    if (!wanted) p++
    for (; p < end; p++) {
      if (pattern[p] === '%') {
        p++
        if (inClass(char, pattern[p] as string)) return wanted
      } else if (pattern[p + 1] === '-' && p + 2 < end) {
        if (char >= (pattern[p] as string) && char <= (pattern[p + 2] as string)) return wanted
        p += 2
      } else if (pattern[p] === char) return wanted
    }
    return !wanted
  }
}

const CLASSES: Readonly<Record<string, RegExp>> = {
  a: /[A-Za-z]/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what the class means
  c: /[\x00-\x1f\x7f]/,
  d: /[0-9]/,
  l: /[a-z]/,
  p: /[!-/:-@[-`{-~]/,
  s: /[ \t\n\v\f\r]/,
  u: /[A-Z]/,
  w: /[A-Za-z0-9]/,
  x: /[A-Fa-f0-9]/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: %z is the zero byte
  z: /\x00/,
}

function inClass(char: string, name: string): boolean {
  const pattern = CLASSES[name.toLowerCase()]
  if (!pattern) return char === name
  return pattern.test(char) === (name === name.toLowerCase())
}
