import { baseLibrary } from './base-library.ts'
import { bitLibrary } from './bit-library.ts'
import { cjsonLibrary } from './cjson-library.ts'
import { compile } from './compiler.ts'
import { mathLibrary } from './math-library.ts'
import { numberToString } from './numerals.ts'
import { redisLibrary, type ScriptCall } from './redis-library.ts'
import { Runtime } from './runtime.ts'
import { stringLibrary } from './string-library.ts'
import { tableLibrary } from './table-library.ts'
import { BudgetExceeded, type LuaFunction, LuaTable, type LuaValue, listOf } from './values.ts'

/** What a script may use up before it is stopped. */
export interface Budget {
  /** Loop rounds, calls and library work. */
  readonly steps: number
  /** Milliseconds. */
  readonly time: number
}

/** How a script ended. */
export type Outcome =
  | { readonly kind: 'value'; readonly value: LuaValue }
  /** `text` when a string or number was raised, `table` when a table was. */
  | { readonly kind: 'error'; readonly raised: LuaValue; readonly text: string; readonly line: number }
  | { readonly kind: 'stopped'; readonly line: number }

/** Lua as scripts of Redis find it: one interpreter, whose globals no script can change. */
export class Interpreter {
  readonly #runtime = new Runtime('user_script')
  readonly #globals = new LuaTable()
  readonly #budget: Budget

  constructor(call: ScriptCall, budget: Budget) {
    this.#budget = budget
    const runtime = this.#runtime
    const globals = this.#globals
    const strings = stringLibrary(runtime)
    for (let pair = strings.next(undefined); pair; pair = strings.next(pair[0])) runtime.strings.set(...pair)
    const clock: LuaFunction = () => [performance.now() / 1000]
    const libraries: Record<string, LuaTable> = {
      string: runtime.strings,
      table: tableLibrary(runtime),
      math: mathLibrary(runtime),
      bit: bitLibrary(runtime),
      cjson: cjsonLibrary(runtime),
      redis: redisLibrary(runtime, call),
      os: new LuaTable(),
    }
    libraries['os']?.set('clock', clock)
    const base = baseLibrary(runtime, globals)
    for (let pair = base.next(undefined); pair; pair = base.next(pair[0])) globals.set(...pair)
    for (const [name, table] of Object.entries(libraries)) {
      table.locked = true
      globals.set(name, table)
    }
    globals.set('_G', globals)
    globals.set('_VERSION', 'Lua 5.1')
    globals.metatable = new LuaTable()
    globals.metatable.set('__index', (list: LuaValue[]) => {
      const [, key] = list
      const name = typeof key === 'string' ? key : typeof key === 'number' ? numberToString(key) : String(key)
      throw runtime.error(`Script attempted to access nonexistent global variable '${name}'`)
    })
    globals.metatable.set('__metatable', false)
    globals.metatable.locked = true
    globals.locked = true
  }

  /** Compiles a script. Throws LuaError. */
  compile(source: string): LuaFunction {
    return compile(source, this.#runtime, this.#globals)
  }

  /** Runs a compiled script with its keys and arguments. */
  run(script: LuaFunction, keys: readonly string[], args: readonly string[]): Outcome {
    const runtime = this.#runtime
    this.#globals.set('KEYS', listOf(keys))
    this.#globals.set('ARGV', listOf(args))
    runtime.begin(this.#budget.steps, this.#budget.time)
    try {
      const outcome = runtime.protect(() => script([]))
      if (outcome.ok) return { kind: 'value', value: outcome.values[0] }
      const raised = outcome.error.value
      // A table's own __tostring is not asked: it could run for ever after the end.
      const text = raised instanceof LuaTable ? 'table' : runtime.toText(raised)
      return { kind: 'error', raised, text, line: outcome.error.line ?? runtime.line }
    } catch (error) {
      if (error instanceof BudgetExceeded) return { kind: 'stopped', line: runtime.line }
      throw error
    }
  }
}
