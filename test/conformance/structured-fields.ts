/** A parameter's or an item's value: RFC 9651, section 3.3. */
export type BareItem =
  | { readonly kind: 'integer' | 'decimal'; readonly value: number }
  | { readonly kind: 'string' | 'token' | 'bytes'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }

/** An item with its parameters. */
export interface Item {
  readonly item: BareItem
  readonly parameters: ReadonlyMap<string, BareItem>
}

/** Reads by the algorithms of RFC 9651, section 4.2: whatever they fail on, this fails on. */
class Parser {
  #rest: string

  constructor(text: string) {
    if (!/^[\x20-\x7e\t]*$/.test(text)) throw new SyntaxError('a field is ASCII')
    this.#rest = text.replace(/^ +/, '')
  }

  get done(): boolean {
    return this.#rest === ''
  }

  /** Takes what an expression matches at the front. */
  take(expression: RegExp): string | undefined {
    const found = new RegExp(`^(?:${expression.source})`).exec(this.#rest)?.[0]
    if (found !== undefined) this.#rest = this.#rest.slice(found.length)
    return found
  }

  fail(what: string): never {
    throw new SyntaxError(`${what} at ${JSON.stringify(this.#rest.slice(0, 20))}`)
  }

  bare(): BareItem {
    const number = this.take(/-?\d+(?:\.\d*)?/)
    if (number !== undefined) {
      const [whole = '', fraction] = number.replace('-', '').split('.')
      if (fraction === undefined) {
        if (whole.length > 15) this.fail('an integer of more than 15 digits')
        return { kind: 'integer', value: Number(number) }
      }
      if (whole.length > 12 || fraction.length < 1 || fraction.length > 3) this.fail('a wrong decimal')
      return { kind: 'decimal', value: Number(number) }
    }
    const text = this.take(/"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/)
    if (text !== undefined) return { kind: 'string', value: text.slice(1, -1).replace(/\\(.)/g, '$1') }
    const boolean = this.take(/\?[01]/)
    if (boolean !== undefined) return { kind: 'boolean', value: boolean === '?1' }
    const bytes = this.take(/:[A-Za-z0-9+/=]*:/)
    if (bytes !== undefined) return { kind: 'bytes', value: bytes.slice(1, -1) }
    const token = this.take(/[A-Za-z*][!#$%&'*+\-.^_`|~\w:/]*/)
    if (token !== undefined) return { kind: 'token', value: token }
    return this.fail('no item')
  }

  item(): Item {
    const item = this.bare()
    const parameters = new Map<string, BareItem>()
    while (this.take(/; */) !== undefined) {
      const key = this.take(/[a-z*][a-z\d_\-.*]*/) ?? this.fail('no key')
      const value: BareItem = this.take(/=/) === undefined ? { kind: 'boolean', value: true } : this.bare()
      parameters.set(key, value)
    }
    return { item, parameters }
  }
}

/**
 * Reads a List whose members are Items (inner lists are none of the RateLimit fields').
 * @throws SyntaxError where the standard's algorithm fails.
 */
export function parseList(text: string): Item[] {
  const parser = new Parser(text.replace(/ +$/, ''))
  const members: Item[] = []
  while (!parser.done) {
    members.push(parser.item())
    parser.take(/[ \t]+/)
    if (parser.done) break
    if (parser.take(/,[ \t]*/) === undefined) parser.fail('no comma')
    if (parser.done) parser.fail('a comma at the end')
  }
  return members
}
