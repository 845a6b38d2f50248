import { stringToNumber } from './numerals.ts'
import { LuaError } from './values.ts'

/** A word of the source. `kind` is `name`, `string`, `number`, `<eof>`, or the keyword or symbol itself. */
export interface Token {
  readonly kind: string
  /** What stands in the source, for error messages. */
  readonly text: string
  readonly value: string | number
  readonly line: number
}

const KEYWORDS: ReadonlySet<string> = new Set(
  'and break do else elseif end false for function if in local nil not or repeat return then true until while'.split(
    ' ',
  ),
)
const SYMBOLS = /\.\.\.|\.\.|==|~=|<=|>=|[-+*/%^#<>=(){}[\];:,.]/y
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y
const NUMERAL = /(?:\d|\.\d)(?:[eE][+-]?|[A-Za-z0-9_.])*/y
const LONG = /\[(=*)\[/y
const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

/** A fault in the source. */
export function syntaxError(chunk: string, line: number, message: string, near?: string): LuaError {
  return new LuaError(`${chunk}:${line}: ${message}${near === undefined ? '' : ` near '${near}'`}`, line)
}

/** Splits a source into words. Throws {@link LuaError}. */
export function tokenize(source: string, chunk: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  let line = 1

  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    return pattern.exec(source)
  }
  const push = (kind: string, text: string, value: string | number): void => {
    tokens.push({ kind, text, value, line })
  }
  const longText = (opening: RegExpExecArray, what: string): string => {
    const close = `]${opening[1]}]`
    const start = at + opening[0].length
    const end = source.indexOf(close, start)
    if (end < 0) throw syntaxError(chunk, line, `unfinished long ${what}`, '<eof>')
    at = end + close.length
    return source.slice(start, end)
  }
  const countLines = (text: string): void => {
    for (const char of text) if (char === '\n') line++
  }
  const quoted = (quote: string): void => {
    const start = at++
    let value = ''
    for (;;) {
      const char = source[at]
      if (char === undefined) throw syntaxError(chunk, line, 'unfinished string', '<eof>')
      if (char === '\n') throw syntaxError(chunk, line, 'unfinished string', source.slice(start, at))
      at++
      if (char === quote) break
      if (char !== '\\') {
        value += char
        continue
      }
      const code = /\d{1,3}/y
      code.lastIndex = at
      const digits = code.exec(source)?.[0]
      if (digits !== undefined) {
        if (Number(digits) > 255) {
          throw syntaxError(chunk, line, 'escape sequence too large', source.slice(start, at))
        }
        value += String.fromCharCode(Number(digits))
        at += digits.length
      } else {
        const escaped = source[at++]
        if (escaped === undefined) throw syntaxError(chunk, line, 'unfinished string', '<eof>')
        if (escaped === '\n') line++
        value += ESCAPES[escaped] ?? escaped
      }
    }
    push('string', source.slice(start, at), value)
  }

  for (;;) {
    const char = source[at]
    if (char === undefined) break
    if (char === '\n') {
      line++
      at++
    } else if (/\s/.test(char)) at++
    else if (source.startsWith('--', at)) {
      at += 2
      const opening = match(LONG)
      if (opening) countLines(longText(opening, 'comment'))
      else {
        const end = source.indexOf('\n', at)
        at = end < 0 ? source.length : end
      }
    } else if (char === '"' || char === "'") quoted(char)
    else if (match(LONG)) {
      const opening = match(LONG) as RegExpExecArray
      const start = at
      const raw = longText(opening, 'string')
      push('string', source.slice(start, at), raw.replace(/^\r?\n/, ''))
      countLines(raw)
    } else if (match(NUMERAL)) {
      const text = (match(NUMERAL) as RegExpExecArray)[0]
      const value = /^[0-9.]/.test(text) ? stringToNumber(text) : undefined
      if (value === undefined) throw syntaxError(chunk, line, 'malformed number', text)
      at += text.length
      push('number', text, value)
    } else if (match(NAME)) {
      const text = (match(NAME) as RegExpExecArray)[0]
      at += text.length
      push(KEYWORDS.has(text) ? text : 'name', text, text)
    } else {
      // A character that begins nothing is a word of its own: the parser says what it expected instead.
      const symbol = match(SYMBOLS)?.[0] ?? char
      at += symbol.length
      push(symbol, symbol, symbol)
    }
  }
  push('<eof>', '<eof>', '<eof>')
  return tokens
}
