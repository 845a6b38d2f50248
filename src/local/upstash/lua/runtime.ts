import { numberToString, stringToNumber } from './numerals.ts'
import { BudgetExceeded, LuaError, type LuaFunction, LuaTable, type LuaValue, typeOf } from './values.ts'

const MAX_DEPTH = 190
const CLOCK_EVERY = 8192

/** The line of an operation inside a library function: its errors name no position. */
export const NATIVE = -1

/** Arithmetic operators by their metamethod. */
export type Arithmetic = '__add' | '__sub' | '__mul' | '__div' | '__mod' | '__pow' | '__unm'

function compute(operation: Arithmetic, a: number, b: number): number {
  switch (operation) {
    case '__add':
      return a + b
    case '__sub':
      return a - b
    case '__mul':
      return a * b
    case '__div':
      return a / b
    case '__mod':
      return a - Math.floor(a / b) * b
    case '__pow':
      return a ** b
    case '__unm':
      return -a
  }
}

/** The semantics of Lua's operators, and the budget of one script run. */
export class Runtime {
  readonly chunk: string
  readonly strings: LuaTable = new LuaTable()
  /** The line of the call being made: where an error of a host function is said to be. */
  line = 0
  /** Lines of the calls in progress. */
  readonly callers: number[] = []
  #budget = 0
  #untilClock: number = CLOCK_EVERY
  #stopAt = 0

  constructor(chunk: string) {
    this.chunk = chunk
  }

  /**
   * Makes ready for one script.
   * @param budget steps: loop rounds, calls, and the work inside library functions
   * @param time milliseconds
   */
  begin(budget: number, time: number): void {
    this.#budget = budget
    this.#untilClock = CLOCK_EVERY
    this.#stopAt = performance.now() + time
    this.callers.length = 0
    this.line = 0
  }

  /** Takes steps off the budget. Throws {@link BudgetExceeded}. */
  charge(steps = 1): void {
    this.#budget -= steps
    this.#untilClock -= steps
    if (this.#budget < 0) throw new BudgetExceeded()
    if (this.#untilClock < 0) {
      this.#untilClock = CLOCK_EVERY
      if (performance.now() > this.#stopAt) throw new BudgetExceeded()
    }
  }

  /** An error with the position of `line`; without one when that is {@link NATIVE}. */
  error(message: string, line: number = this.line): LuaError {
    if (line === NATIVE) return new LuaError(message, this.line)
    return new LuaError(`${this.chunk}:${line}: ${message}`, line)
  }

  metamethod(value: LuaValue, name: string): LuaValue {
    const metatable = value instanceof LuaTable ? value.metatable : undefined
    if (typeof value === 'string' && name === '__index') return this.strings
    return metatable?.get(name)
  }

  call(callee: LuaValue, args: LuaValue[], line: number, name?: string): LuaValue[] {
    let target = callee
    let list = args
    if (typeof target !== 'function') {
      const meta = this.metamethod(callee, '__call')
      if (typeof meta !== 'function') throw this.#typeError('call', callee, name, line)
      target = meta
      list = [callee, ...args]
    }
    this.charge()
    if (this.callers.length >= MAX_DEPTH) throw this.error('stack overflow', line)
    this.callers.push(line)
    const at = line === NATIVE ? this.line : line
    this.line = at
    const result = (target as LuaFunction)(list)
    this.callers.pop()
    this.line = at
    return result
  }

  /** Calls and catches, as `pcall` does. */
  protect(run: () => LuaValue[]): { ok: true; values: LuaValue[] } | { ok: false; error: LuaError } {
    const depth = this.callers.length
    const { line } = this
    try {
      return { ok: true, values: run() }
    } catch (error) {
      if (error instanceof BudgetExceeded) throw error
      this.callers.length = depth
      const at = this.line
      this.line = line
      if (error instanceof LuaError) {
        error.line ??= at
        return { ok: false, error }
      }
      // Our own stack or the size of a string: to the script it is one of its errors.
      if (error instanceof RangeError) {
        const message = /stack/i.test(error.message) ? 'stack overflow' : 'not enough memory'
        return { ok: false, error: new LuaError(message, at) }
      }
      throw error
    }
  }

  index(object: LuaValue, key: LuaValue, line: number, name?: string): LuaValue {
    let current = object
    for (let hops = 0; hops < 100; hops++) {
      if (current instanceof LuaTable) {
        const value = current.get(key)
        if (value !== undefined || current.metatable === undefined) return value
      }
      const meta = this.metamethod(current, '__index')
      if (meta === undefined) {
        if (current instanceof LuaTable) return undefined
        throw this.#typeError('index', current, hops === 0 ? name : undefined, line)
      }
      if (typeof meta === 'function') return this.call(meta, [current, key], line)[0]
      current = meta
    }
    throw this.error('loop in gettable', line)
  }

  setIndex(object: LuaValue, key: LuaValue, value: LuaValue, line: number, name?: string): void {
    let current = object
    for (let hops = 0; hops < 100; hops++) {
      const meta = this.metamethod(current, '__newindex')
      if (current instanceof LuaTable) {
        if (meta === undefined || current.get(key) !== undefined) {
          this.rawSet(current, key, value, line)
          return
        }
      } else if (meta === undefined)
        throw this.#typeError('index', current, hops === 0 ? name : undefined, line)
      if (typeof meta === 'function') {
        this.call(meta, [current, key, value], line)
        return
      }
      current = meta
    }
    throw this.error('loop in settable', line)
  }

  rawSet(table: LuaTable, key: LuaValue, value: LuaValue, line: number = NATIVE): void {
    if (table.locked) throw this.error('Attempt to modify a readonly table', line)
    if (key === undefined) throw this.error('table index is nil', line)
    if (typeof key === 'number' && Number.isNaN(key)) throw this.error('table index is NaN', line)
    table.set(key, value)
  }

  arithmetic(
    operation: Arithmetic,
    a: LuaValue,
    b: LuaValue,
    line: number,
    nameA?: string,
    nameB?: string,
  ): LuaValue {
    if (typeof a === 'number' && typeof b === 'number') return compute(operation, a, b)
    const left = toNumber(a)
    const right = toNumber(b)
    if (left !== undefined && right !== undefined) return compute(operation, left, right)
    const meta = this.metamethod(a, operation) ?? this.metamethod(b, operation)
    if (meta !== undefined) return this.call(meta, [a, b], line)[0]
    throw left === undefined
      ? this.#typeError('perform arithmetic on', a, nameA, line)
      : this.#typeError('perform arithmetic on', b, nameB, line)
  }

  concat(a: LuaValue, b: LuaValue, line: number, nameA?: string, nameB?: string): LuaValue {
    const left = typeof a === 'string' ? a : typeof a === 'number' ? numberToString(a) : undefined
    const right = typeof b === 'string' ? b : typeof b === 'number' ? numberToString(b) : undefined
    if (left !== undefined && right !== undefined) return left + right
    const meta = this.metamethod(a, '__concat') ?? this.metamethod(b, '__concat')
    if (meta !== undefined) return this.call(meta, [a, b], line)[0]
    throw left === undefined
      ? this.#typeError('concatenate', a, nameA, line)
      : this.#typeError('concatenate', b, nameB, line)
  }

  length(value: LuaValue, line: number, name?: string): number {
    if (typeof value === 'string') return value.length
    if (value instanceof LuaTable) return value.length
    throw this.#typeError('get length of', value, name, line)
  }

  equal(a: LuaValue, b: LuaValue, line: number): boolean {
    if (a === b) return true
    if (!(a instanceof LuaTable && b instanceof LuaTable)) return false
    const meta = this.metamethod(a, '__eq')
    if (meta === undefined || meta !== this.metamethod(b, '__eq')) return false
    return isTrue(this.call(meta, [a, b], line)[0])
  }

  less(a: LuaValue, b: LuaValue, line: number): boolean {
    if (typeof a === 'number' && typeof b === 'number') return a < b
    if (typeof a === 'string' && typeof b === 'string') return a < b
    return this.#compareBy('__lt', a, b, line)
  }

  lessOrEqual(a: LuaValue, b: LuaValue, line: number): boolean {
    if (typeof a === 'number' && typeof b === 'number') return a <= b
    if (typeof a === 'string' && typeof b === 'string') return a <= b
    if (this.metamethod(a, '__le') === undefined && this.metamethod(a, '__lt') !== undefined) {
      return !this.#compareBy('__lt', b, a, line)
    }
    return this.#compareBy('__le', a, b, line)
  }

  #compareBy(name: string, a: LuaValue, b: LuaValue, line: number): boolean {
    const meta = this.metamethod(a, name)
    if (meta !== undefined && meta === this.metamethod(b, name))
      return isTrue(this.call(meta, [a, b], line)[0])
    const left = typeOf(a)
    const right = typeOf(b)
    throw this.error(
      left === right ? `attempt to compare two ${left} values` : `attempt to compare ${left} with ${right}`,
      line,
    )
  }

  #typeError(action: string, value: LuaValue, name: string | undefined, line: number): LuaError {
    const type = typeOf(value)
    return this.error(
      name === undefined
        ? `attempt to ${action} a ${type} value`
        : `attempt to ${action} ${name} (a ${type} value)`,
      line,
    )
  }

  toText(value: LuaValue): string {
    const meta = this.metamethod(value, '__tostring')
    if (meta !== undefined) {
      const text = this.call(meta, [value], NATIVE)[0]
      if (typeof text !== 'string') throw this.error("'tostring' must return a string to 'print'")
      return text
    }
    if (typeof value === 'string') return value
    if (typeof value === 'number') return numberToString(value)
    if (value === undefined) return 'nil'
    if (typeof value === 'boolean') return String(value)
    return `${typeOf(value)}: 0x${identity(value).toString(16).padStart(12, '0')}`
  }
}

let identities = 0x55d0
const known = new WeakMap<object, number>()
function identity(value: object): number {
  let id = known.get(value)
  if (id === undefined) {
    identities += 32
    id = identities
    known.set(value, id)
  }
  return id
}

/** Only nil and false are false. */
export function isTrue(value: LuaValue): boolean {
  return value !== undefined && value !== false
}

/** A number, or a string that reads as one. */
export function toNumber(value: LuaValue): number | undefined {
  if (typeof value === 'number') return value
  return typeof value === 'string' ? stringToNumber(value) : undefined
}
