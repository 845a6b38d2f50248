import { syntaxError, type Token, tokenize } from './lexer.ts'
import type { LuaError } from './values.ts'

const MAX_NESTING = 190

/** The words of a source, read one after the other. */
export class Words {
  readonly #tokens: Token[]
  readonly #chunk: string
  #at = 0
  #nesting = 0

  constructor(source: string, chunk: string) {
    this.#tokens = tokenize(source, chunk)
    this.#chunk = chunk
  }

  /** The word that is next. */
  get token(): Token {
    return this.#tokens[this.#at] as Token
  }

  /** The word just read. */
  get previous(): Token {
    return this.#tokens[Math.max(0, this.#at - 1)] as Token
  }

  /** The word after the next one. */
  peek(): Token {
    return this.#tokens[Math.min(this.#at + 1, this.#tokens.length - 1)] as Token
  }

  skip(): void {
    this.#at++
  }

  is(kind: string): boolean {
    return this.token.kind === kind
  }

  /** Whether the next word closes a block. */
  endsBlock(): boolean {
    return /^(?:end|else|elseif|until|<eof>)$/.test(this.token.kind)
  }

  /** Reads a word of this kind when it is the next. */
  accept(kind: string): boolean {
    if (!this.is(kind)) return false
    this.#at++
    return true
  }

  /** Reads a word that must be of this kind. */
  expect(kind: string): Token {
    const { token } = this
    if (token.kind !== kind) throw this.expected(kind)
    this.#at++
    return token
  }

  /** Reads the end of a construct that began on `line`. */
  expectEnd(kind: string, opening: string, line: number): void {
    if (!this.is(kind) && line !== this.token.line) {
      throw this.fault(`'${kind}' expected (to close '${opening}' at line ${line})`)
    }
    this.expect(kind)
  }

  /** A fault at the next word. */
  fault(message: string): LuaError {
    return syntaxError(this.#chunk, this.token.line, message, this.token.text)
  }

  expected(kind: string): LuaError {
    return this.fault(`'${kind === 'name' ? '<name>' : kind}' expected`)
  }

  /** Guards our own stack against sources that nest without end. */
  enter(): void {
    if (++this.#nesting > MAX_NESTING) throw this.fault('chunk has too many syntax levels')
  }

  leave(): void {
    this.#nesting--
  }
}
