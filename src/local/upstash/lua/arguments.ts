import { numberToString } from './numerals.ts'
import { type Runtime, toNumber } from './runtime.ts'
import { type LuaError, LuaTable, type LuaValue, typeOf } from './values.ts'

/** The arguments of a library function, checked as Lua checks them, with its messages. */
export class Arguments {
  readonly list: readonly LuaValue[]
  readonly #runtime: Runtime
  readonly #name: string

  constructor(runtime: Runtime, name: string, list: readonly LuaValue[]) {
    this.#runtime = runtime
    this.#name = name
    this.list = list
  }

  /** An error about one argument; counts from 0. */
  bad(index: number, message: string): LuaError {
    return this.#runtime.error(`bad argument #${index + 1} to '${this.#name}' (${message})`)
  }

  #expected(index: number, type: string): LuaError {
    const got = index < this.list.length ? typeOf(this.list[index]) : 'no value'
    return this.bad(index, `${type} expected, got ${got}`)
  }

  /** Any value, but there must be one. */
  any(index: number): LuaValue {
    if (index >= this.list.length) throw this.bad(index, 'value expected')
    return this.list[index]
  }

  /** The index itself, when there is such an argument. */
  required(index: number): number {
    if (index >= this.list.length) throw this.bad(index, 'no value')
    return index
  }

  table(index: number): LuaTable {
    const value = this.list[index]
    if (!(value instanceof LuaTable)) throw this.#expected(index, 'table')
    return value
  }

  text(index: number, fallback?: string): string {
    const value = this.list[index]
    if (value === undefined && fallback !== undefined) return fallback
    if (typeof value === 'string') return value
    if (typeof value === 'number') return numberToString(value)
    throw this.#expected(index, 'string')
  }

  number(index: number, fallback?: number): number {
    const value = this.list[index]
    if (value === undefined && fallback !== undefined) return fallback
    const number = toNumber(value)
    if (number === undefined) throw this.#expected(index, 'number')
    return number
  }

  /** A number cut to an integer. */
  integer(index: number, fallback?: number): number {
    return Math.trunc(this.number(index, fallback)) + 0
  }
}

/** A library from its functions: each takes checked arguments. */
export function library(
  runtime: Runtime,
  functions: Readonly<Record<string, (args: Arguments) => LuaValue[]>>,
): LuaTable {
  const table = new LuaTable()
  for (const [name, run] of Object.entries(functions)) {
    table.set(name, (list: LuaValue[]) => run(new Arguments(runtime, name, list)))
  }
  return table
}
