import { type Arguments, library } from './arguments.ts'
import { format } from './format.ts'
import { Matcher } from './patterns.ts'
import { NATIVE, type Runtime } from './runtime.ts'
import { LuaError, LuaTable, type LuaValue } from './values.ts'

const MAX_STRING = 64 * 1024 * 1024

/** Lua's positions count from 1, and from the end when negative. */
function position(at: number, length: number): number {
  return at >= 0 ? at : Math.max(0, length + at + 1)
}

function find(runtime: Runtime, args: Arguments, plainAllowed: boolean): LuaValue[] {
  const source = args.text(0)
  const pattern = args.text(1)
  const init = Math.max(1, position(args.integer(2, 1), source.length))
  if (init > source.length + 1) return [undefined]
  const plain = args.list[3] !== undefined && args.list[3] !== false
  if (plainAllowed && (plain || !/[\^$*+?.([%-]/.test(pattern))) {
    const at = source.indexOf(pattern, init - 1)
    return at < 0 ? [undefined] : [at + 1, at + pattern.length]
  }
  const anchored = pattern.startsWith('^')
  const matcher = new Matcher(runtime, source, pattern)
  for (let at = init - 1; at <= source.length; at++) {
    const end = matcher.match(at, anchored ? 1 : 0)
    if (end >= 0) {
      return plainAllowed ? [at + 1, end, ...matcher.captures(at, end, false)] : matcher.captures(at, end)
    }
    if (anchored) break
  }
  return [undefined]
}

function substitute(runtime: Runtime, args: Arguments): LuaValue[] {
  const source = args.text(0)
  const pattern = args.text(1)
  const replacement = args.list[2]
  const limit = args.number(3, Infinity)
  const kind = typeof replacement
  if (!(kind === 'string' || kind === 'number' || kind === 'function' || replacement instanceof LuaTable)) {
    throw args.bad(2, 'string/function/table expected')
  }
  const anchored = pattern.startsWith('^')
  const matcher = new Matcher(runtime, source, pattern)
  let out = ''
  let at = 0
  let count = 0
  while (count < limit) {
    const end = matcher.match(at, anchored ? 1 : 0)
    if (end >= 0) {
      count++
      out += replaced(runtime, args, replacement, source.slice(at, end), matcher.captures(at, end))
    }
    if (end > at) at = end
    else if (at < source.length) out += source[at++]
    else break
    if (anchored) break
  }
  return [out + source.slice(at), count]
}

function replaced(
  runtime: Runtime,
  args: Arguments,
  replacement: LuaValue,
  whole: string,
  captures: LuaValue[],
): string {
  let value: LuaValue
  if (typeof replacement === 'function') value = runtime.call(replacement, captures, NATIVE)[0]
  else if (replacement instanceof LuaTable) value = runtime.index(replacement, captures[0], NATIVE)
  else {
    return args.text(2).replace(/%(.?)/gs, (_, char: string) => {
      if (!/^\d$/.test(char)) return char
      if (char === '0') return whole
      if (Number(char) > captures.length) throw runtime.error('invalid capture index')
      return runtime.toText(captures[Number(char) - 1])
    })
  }
  if (value === undefined || value === false) return whole
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw runtime.error(`invalid replacement value (a ${value instanceof LuaTable ? 'table' : typeof value})`)
  }
  return runtime.toText(value)
}

function matches(runtime: Runtime, args: Arguments): LuaValue[] {
  const source = args.text(0)
  const matcher = new Matcher(runtime, source, args.text(1))
  let at = 0
  return [
    () => {
      for (; at <= source.length; at++) {
        const end = matcher.match(at, 0)
        if (end < 0) continue
        const captures = matcher.captures(at, end)
        at = end === at ? end + 1 : end
        return captures
      }
      return [undefined]
    },
  ]
}

/** The `string` library. */
export function stringLibrary(runtime: Runtime): LuaTable {
  return library(runtime, {
    len: (args) => [args.text(0).length],
    sub: (args) => {
      const text = args.text(0)
      const from = Math.max(1, position(args.integer(1), text.length))
      const to = Math.min(text.length, position(args.integer(2, -1), text.length))
      return [from > to ? '' : text.slice(from - 1, to)]
    },
    lower: (args) => [args.text(0).replace(/[A-Z]+/g, (part) => part.toLowerCase())],
    upper: (args) => [args.text(0).replace(/[a-z]+/g, (part) => part.toUpperCase())],
    reverse: (args) => [args.text(0).split('').reverse().join('')],
    rep: (args) => {
      const text = args.text(0)
      const count = Math.max(0, args.integer(1))
      if (text.length * count > MAX_STRING) throw new LuaError('not enough memory', runtime.line)
      return [text.repeat(count)]
    },
    byte: (args) => {
      const text = args.text(0)
      const first = args.integer(1, 1)
      const from = Math.max(1, position(first, text.length))
      const to = Math.min(text.length, position(args.integer(2, first), text.length))
      runtime.charge(Math.max(0, to - from))
      const bytes: number[] = []
      for (let i = from; i <= to; i++) bytes.push(text.charCodeAt(i - 1))
      return bytes
    },
    char: (args) => [
      String.fromCharCode(
        ...args.list.map((_, i) => {
          const code = args.integer(i)
          if (code < 0 || code > 255) throw args.bad(i, 'invalid value')
          return code
        }),
      ),
    ],
    format: (args) => {
      let next = 1
      return [
        format(args.text(0), {
          number: () => args.number(args.required(next++)),
          text: () => args.text(args.required(next++)),
          fail: (message) => runtime.error(message),
        }),
      ]
    },
    find: (args) => find(runtime, args, true),
    match: (args) => find(runtime, args, false),
    gmatch: (args) => matches(runtime, args),
    gfind: (args) => matches(runtime, args),
    gsub: (args) => substitute(runtime, args),
  })
}
