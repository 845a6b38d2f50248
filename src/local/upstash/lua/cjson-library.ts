import { fromBinary, toBinary } from '../binary.ts'
import { library } from './arguments.ts'
import { formatG } from './numerals.ts'
import type { Runtime } from './runtime.ts'
import { LuaTable, type LuaValue, typeOf, Userdata } from './values.ts'

/** What JSON's null is in a script. */
const NULL: Userdata = new Userdata('null')

const MAX_DEPTH = 1000
const ESCAPED: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
}

function quote(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be escaped
  const escaped = text.replace(/["\\/\x00-\x1f\x7f]/g, (char) => {
    return ESCAPED[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return `"${escaped}"`
}

/** The length of a table that is an array; -1 when it is an object. */
function arrayLength(runtime: Runtime, table: LuaTable): number {
  let most = 0
  let items = 0
  for (let pair = table.next(undefined); pair; pair = table.next(pair[0])) {
    runtime.charge()
    const [key] = pair
    if (typeof key !== 'number' || key < 1 || !Number.isInteger(key)) return -1
    if (key > most) most = key
    items++
  }
  // Twice as many holes as items, and beyond ten: refused, as it would mostly print null.
  if (most > 10 && most > items * 2) {
    throw runtime.error('Cannot serialise table: excessively sparse array')
  }
  return most
}

function encode(runtime: Runtime, value: LuaValue, depth: number): string {
  runtime.charge()
  if (value === undefined || value === NULL) return 'null'
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) {
      throw runtime.error('Cannot serialise number: must not be NaN or Inf')
    }
    return formatG(value, 14)
  }
  if (!(value instanceof LuaTable)) {
    throw runtime.error(`Cannot serialise ${typeOf(value)}: type not supported`)
  }
  if (depth >= MAX_DEPTH) {
    throw runtime.error(`Cannot serialise, excessive depth (${depth + 1})`)
  }
  const length = arrayLength(runtime, value)
  const parts: string[] = []
  if (length > 0) {
    for (let i = 1; i <= length; i++) parts.push(encode(runtime, value.get(i), depth + 1))
    return `[${parts.join(',')}]`
  }
  for (let pair = value.next(undefined); pair; pair = value.next(pair[0])) {
    const [key, item] = pair
    if (typeof key !== 'string' && typeof key !== 'number') {
      throw runtime.error('Cannot serialise table: table key must be a number or string')
    }
    parts.push(
      `${quote(typeof key === 'number' ? formatG(key, 14) : key)}:${encode(runtime, item, depth + 1)}`,
    )
  }
  return `{${parts.join(',')}}`
}

function toLua(value: unknown): LuaValue {
  if (value === null) return NULL
  if (typeof value === 'string') return toBinary(value)
  if (typeof value === 'number' || typeof value === 'boolean') return value
  const table = new LuaTable()
  if (Array.isArray(value)) for (const item of value) table.array.push(toLua(item))
  else for (const [key, item] of Object.entries(value as object)) table.set(toBinary(key), toLua(item))
  return table
}

/** The `cjson` library: `encode`, `decode`, `null`. */
export function cjsonLibrary(runtime: Runtime): LuaTable {
  const table = library(runtime, {
    encode: (args) => [encode(runtime, args.any(0), 0)],
    decode: (args) => {
      const text = args.text(0)
      runtime.charge(text.length >> 4)
      try {
        return [toLua(JSON.parse(fromBinary(text)))]
      } catch {
        throw runtime.error('Expected value but found invalid token at character 1')
      }
    },
  })
  table.set('null', NULL)
  return table
}
