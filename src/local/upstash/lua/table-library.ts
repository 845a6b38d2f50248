import { type Arguments, library } from './arguments.ts'
import { isTrue, NATIVE, type Runtime } from './runtime.ts'
import { type LuaTable, type LuaValue, typeOf } from './values.ts'

function concat(runtime: Runtime, args: Arguments): LuaValue[] {
  const table = args.table(0)
  const separator = args.text(1, '')
  const from = args.integer(2, 1)
  const to = args.integer(3, table.length)
  const parts: string[] = []
  for (let i = from; i <= to; i++) {
    runtime.charge()
    const value = table.get(i)
    if (typeof value !== 'string' && typeof value !== 'number') {
      throw runtime.error(`invalid value (${typeOf(value)}) at index ${i} in table for 'concat'`)
    }
    parts.push(runtime.toText(value))
  }
  return [parts.join(separator)]
}

function insert(runtime: Runtime, args: Arguments): LuaValue[] {
  const table = args.table(0)
  const end = table.length + 1
  if (args.list.length === 2) {
    runtime.rawSet(table, end, args.list[1])
    return []
  }
  if (args.list.length !== 3) throw runtime.error("wrong number of arguments to 'insert'")
  const at = args.integer(1)
  for (let i = Math.max(end, at); i > at; i--) {
    runtime.charge()
    runtime.rawSet(table, i, table.get(i - 1))
  }
  runtime.rawSet(table, at, args.list[2])
  return []
}

function remove(runtime: Runtime, args: Arguments): LuaValue[] {
  const table = args.table(0)
  const end = table.length
  const at = args.integer(1, end)
  if (end === 0 || at < 1 || at > end) return []
  const value = table.get(at)
  for (let i = at; i < end; i++) {
    runtime.charge()
    runtime.rawSet(table, i, table.get(i + 1))
  }
  runtime.rawSet(table, end, undefined)
  return [value]
}

/** A wrong comparison function cannot hang it; the answer is then in no particular order. */
function sort(runtime: Runtime, args: Arguments): LuaValue[] {
  const table = args.table(0)
  const by = args.list[1]
  const before = (a: LuaValue, b: LuaValue): boolean =>
    by === undefined ? runtime.less(a, b, NATIVE) : isTrue(runtime.call(by, [a, b], NATIVE)[0])
  const values: LuaValue[] = []
  for (let i = 1; i <= table.length; i++) values.push(table.get(i))
  values.sort((a, b) => {
    runtime.charge()
    return before(a, b) ? -1 : before(b, a) ? 1 : 0
  })
  values.forEach((value, i) => {
    runtime.rawSet(table, i + 1, value)
  })
  return []
}

/** The `table` library. */
export function tableLibrary(runtime: Runtime): LuaTable {
  return library(runtime, {
    concat: (args) => concat(runtime, args),
    insert: (args) => insert(runtime, args),
    remove: (args) => remove(runtime, args),
    sort: (args) => sort(runtime, args),
    getn: (args) => [args.table(0).length],
    maxn: (args) => {
      const table = args.table(0)
      let most = 0
      for (let pair = table.next(undefined); pair; pair = table.next(pair[0])) {
        runtime.charge()
        if (typeof pair[0] === 'number' && pair[0] > most) most = pair[0]
      }
      return [most]
    },
    foreachi: (args) => {
      const table = args.table(0)
      for (let i = 1; i <= table.length; i++) {
        const result = runtime.call(args.list[1], [i, table.get(i)], NATIVE)
        if (result[0] !== undefined) return [result[0]]
      }
      return []
    },
  })
}
