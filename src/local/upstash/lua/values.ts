// Lua 5.1 as Redis embeds it. Every number is a double, and every string is a sequence of bytes: one character
// of a JavaScript string per byte, as in the rest of the store.

/** A value of Lua; `undefined` is nil. */
export type LuaValue = undefined | boolean | number | string | LuaTable | LuaFunction | Userdata

/** A function, of Lua or of the host: takes a list of values, returns a list of values. */
export type LuaFunction = (args: LuaValue[]) => LuaValue[]

/** An opaque value, such as `cjson.null`. */
export class Userdata {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** An error raised in Lua. `value` is what `pcall` returns; `line` where it was raised. */
export class LuaError extends Error {
  readonly value: LuaValue
  line: number | undefined

  constructor(value: LuaValue, line?: number) {
    super(typeof value === 'string' ? value : 'error in a script')
    this.value = value
    this.line = line
  }
}

/** Raised when a script has used up its budget; no `pcall` can catch it. */
export class BudgetExceeded extends Error {}

/** How far a traversal has come. */
interface Walk {
  after: LuaValue
  readonly rest: IterableIterator<[LuaValue, LuaValue]>
}

/** A table: a dense part for 1, 2, 3 … and a map for all other keys. */
export class LuaTable {
  readonly array: LuaValue[] = []
  metatable: LuaTable | undefined
  /** Set on the global table and the libraries, which scripts may not change. */
  locked = false
  readonly #map = new Map<LuaValue, LuaValue>()
  #tombs = 0
  #walk: Walk | undefined

  get(key: LuaValue): LuaValue {
    if (typeof key === 'number' && key >= 1 && key <= this.array.length && Number.isInteger(key)) {
      return this.array[key - 1]
    }
    return this.#map.get(key)
  }

  set(key: LuaValue, value: LuaValue): void {
    const { array } = this
    if (typeof key === 'number' && Number.isInteger(key) && key >= 1 && key <= array.length + 1) {
      if (key <= array.length) {
        array[key - 1] = value
        if (value === undefined && key === array.length) this.trim()
        return
      }
      if (value !== undefined) {
        if (this.#map.has(key)) this.#map.delete(key)
        array.push(value)
        this.#migrate()
        return
      }
    }
    if (value !== undefined) {
      if (this.#tombs > 32 && this.#tombs * 2 > this.#map.size && !this.#map.has(key)) this.#compact()
      this.#map.set(key, value)
    } else if (this.#map.get(key) !== undefined) {
      // Kept as a tombstone, so that a traversal may clear fields as it goes.
      this.#map.set(key, undefined)
      this.#tombs++
    }
  }

  /** Drops nils from the end of the dense part. */
  trim(): void {
    while (this.array.length > 0 && this.array[this.array.length - 1] === undefined) this.array.pop()
  }

  get length(): number {
    return this.array.length
  }

  /** The pair after `key`; undefined at the end; throws when the key was never there. */
  next(key: LuaValue): [LuaValue, LuaValue] | undefined {
    let from = 0
    if (typeof key === 'number' && Number.isInteger(key) && key >= 1 && key <= this.array.length) from = key
    if (key === undefined || from > 0) {
      for (let i = from; i < this.array.length; i++) {
        if (this.array[i] !== undefined) return [i + 1, this.array[i]]
      }
      this.#walk = { after: undefined, rest: this.#map.entries() }
    } else if (this.#walk === undefined || this.#walk.after !== key) {
      // An index that is gone was in the dense part, which shrinks when a traversal clears its end.
      if (!this.#map.has(key) && typeof key !== 'number') throw new LuaError("invalid key to 'next'")
      this.#walk = { after: key, rest: this.#map.has(key) ? this.#after(key) : this.#map.entries() }
    }
    const walk = this.#walk as Walk
    for (let step = walk.rest.next(); !step.done; step = walk.rest.next()) {
      const [found, value] = step.value
      if (value === undefined) continue
      walk.after = found
      return [found, value]
    }
    this.#walk = undefined
    return undefined
  }

  #after(key: LuaValue): IterableIterator<[LuaValue, LuaValue]> {
    const rest = this.#map.entries()
    for (let step = rest.next(); !step.done; step = rest.next()) if (step.value[0] === key) break
    return rest
  }

  #migrate(): void {
    if (this.#map.size === 0) return
    for (;;) {
      const key = this.array.length + 1
      const value = this.#map.get(key)
      if (value === undefined) return
      this.#map.delete(key)
      this.array.push(value)
    }
  }

  #compact(): void {
    for (const [key, value] of this.#map) if (value === undefined) this.#map.delete(key)
    this.#tombs = 0
    this.#walk = undefined
  }
}

/** The name of a value's type. */
export function typeOf(value: LuaValue): string {
  if (value === undefined) return 'nil'
  if (typeof value === 'object') return value instanceof LuaTable ? 'table' : 'userdata'
  return typeof value
}

/** A table of the given values at 1, 2, 3 … */
export function listOf(values: readonly LuaValue[]): LuaTable {
  const table = new LuaTable()
  for (const value of values) table.array.push(value)
  table.trim()
  return table
}

/** A table of named values. */
export function recordOf(fields: Readonly<Record<string, LuaValue>>): LuaTable {
  const table = new LuaTable()
  for (const [name, value] of Object.entries(fields)) table.set(name, value)
  return table
}
