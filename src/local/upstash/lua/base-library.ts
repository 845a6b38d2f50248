import { type Arguments, library } from './arguments.ts'
import { compile } from './compiler.ts'
import { stringToNumber } from './numerals.ts'
import { isTrue, NATIVE, type Runtime } from './runtime.ts'
import { LuaError, type LuaFunction, LuaTable, type LuaValue, typeOf } from './values.ts'

function convert(args: Arguments): LuaValue[] {
  const base = args.integer(1, 10)
  if (base === 10) {
    const value = args.any(0)
    if (typeof value === 'number') return [value]
    return [typeof value === 'string' ? stringToNumber(value) : undefined]
  }
  const text = args.text(0).trim().toLowerCase()
  if (base < 2 || base > 36) throw args.bad(1, 'base out of range')
  const digits = base === 16 ? text.replace(/^0x/, '') : text
  let value = 0
  for (const char of digits) {
    const digit = /[0-9a-z]/.test(char) ? Number.parseInt(char, 36) : 36
    if (digit >= base) return [undefined]
    value = value * base + digit
  }
  return [digits === '' ? undefined : value]
}

function raise(runtime: Runtime, args: Arguments): LuaValue[] {
  const value = args.list[0]
  const level = args.integer(1, 1)
  // Level 1 is the line of this call; level 2 that of the call to the function it stands in.
  const line = level > 0 ? runtime.callers.at(-level) : undefined
  const isText = typeof value === 'string' || typeof value === 'number'
  if (!isText || line === undefined || line === NATIVE) throw new LuaError(value, runtime.line)
  throw new LuaError(`${runtime.chunk}:${line}: ${runtime.toText(value)}`, runtime.line)
}

function iterate(args: Arguments): LuaValue[] {
  const table = args.table(0)
  return [
    (list: LuaValue[]) => {
      const index = (list[1] as number) + 1
      const value = table.get(index)
      return value === undefined ? [undefined] : [index, value]
    },
    table,
    0,
  ]
}

function metatableOf(runtime: Runtime, value: LuaValue): LuaValue {
  if (typeof value === 'string') {
    const shared = new LuaTable()
    shared.set('__index', runtime.strings)
    return shared
  }
  return value instanceof LuaTable ? value.metatable : undefined
}

/** The functions that are globals. */
export function baseLibrary(runtime: Runtime, globals: LuaTable): LuaTable {
  const next: LuaFunction = (list) => {
    const table = list[0] as LuaTable
    return table.next(list[1]) ?? [undefined]
  }
  return library(runtime, {
    assert: (args) => {
      if (isTrue(args.any(0))) return [...args.list]
      throw runtime.error(args.text(1, 'assertion failed!'))
    },
    collectgarbage: () => [0],
    error: (args) => raise(runtime, args),
    getmetatable: (args) => {
      const metatable = metatableOf(runtime, args.any(0))
      return [(metatable instanceof LuaTable ? metatable.get('__metatable') : undefined) ?? metatable]
    },
    ipairs: iterate,
    loadstring: (args) => {
      try {
        return [compile(args.text(0), runtime, globals)]
      } catch (error) {
        if (error instanceof LuaError) return [undefined, error.value]
        throw error
      }
    },
    next: (args) => next([args.table(0), args.list[1]]),
    pairs: (args) => [next, args.table(0), undefined],
    pcall: (args) => {
      const outcome = runtime.protect(() => runtime.call(args.any(0), args.list.slice(1), NATIVE))
      if (outcome.ok) return [true, ...outcome.values]
      // Redis hands on the text of its own errors, as it did before they were tables.
      const { value } = outcome.error
      const text = value instanceof LuaTable ? value.get('err') : undefined
      return [false, typeof text === 'string' ? text : value]
    },
    xpcall: (args) => {
      const outcome = runtime.protect(() => runtime.call(args.any(0), [], NATIVE))
      if (outcome.ok) return [true, ...outcome.values]
      return [false, ...runtime.call(args.list[1], [outcome.error.value], NATIVE)]
    },
    rawequal: (args) => [args.any(0) === args.any(1)],
    rawget: (args) => [args.table(0).get(args.any(1))],
    rawset: (args) => {
      runtime.rawSet(args.table(0), args.any(1), args.any(2))
      return [args.list[0]]
    },
    select: (args) => {
      if (args.list[0] === '#') return [args.list.length - 1]
      const from = args.integer(0)
      if (from < 0) {
        const at = args.list.length + from
        if (at < 1) throw args.bad(0, 'index out of range')
        return args.list.slice(at)
      }
      if (from === 0) throw args.bad(0, 'index out of range')
      return args.list.slice(from)
    },
    setmetatable: (args) => {
      const table = args.table(0)
      if (table.locked) throw runtime.error('Attempt to modify a readonly table', NATIVE)
      const metatable = args.list[1]
      if (!(metatable === undefined || metatable instanceof LuaTable))
        throw args.bad(1, 'nil or table expected')
      if (table.metatable?.get('__metatable') !== undefined) {
        throw runtime.error('cannot change a protected metatable')
      }
      table.metatable = metatable
      return [table]
    },
    tonumber: convert,
    tostring: (args) => [runtime.toText(args.any(0))],
    type: (args) => [typeOf(args.any(0))],
    unpack: (args) => {
      const table = args.table(0)
      const from = args.integer(1, 1)
      const to = args.integer(2, table.length)
      if (to - from >= 8000) throw runtime.error('too many results to unpack')
      const values: LuaValue[] = []
      for (let i = from; i <= to; i++) values.push(table.get(i))
      return values
    },
  })
}
