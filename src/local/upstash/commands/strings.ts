import { addExtended, isExtended } from '../extended.ts'
import type { Keyspace } from '../keyspace.ts'
import { INT64_MAX, INT64_MIN, int64, integer, resolveRange } from '../numbers.ts'
import { CommandError, ERRORS, integerReply, OK, type Reply, wrongArity } from '../reply.ts'
import { deadline } from './expiry.ts'
import { type CommandTable, pairs, reads, writes } from './types.ts'

const MAX_LENGTH = 512 * 1024 * 1024

interface SetOptions {
  readonly nx: boolean
  readonly xx: boolean
  readonly get: boolean
  readonly keepTtl: boolean
  readonly expireAt: number | undefined
}

function setOptions(keys: Keyspace, words: string[]): SetOptions {
  let nx = false
  let xx = false
  let get = false
  let keepTtl = false
  let expiry: [unit: string, value: string] | undefined
  for (let i = 0; i < words.length; i++) {
    const word = (words[i] as string).toUpperCase()
    if (word === 'NX' && !xx) nx = true
    else if (word === 'XX' && !nx) xx = true
    else if (word === 'GET') get = true
    else if (word === 'KEEPTTL' && !expiry) keepTtl = true
    else if (/^(?:EX|PX|EXAT|PXAT)$/.test(word) && !keepTtl && !expiry && i + 1 < words.length) {
      expiry = [word, words[++i] as string]
    } else throw new CommandError(ERRORS.syntax)
  }
  return { nx, xx, get, keepTtl, expireAt: expiry && deadline(keys, 'set', expiry[0], expiry[1], true) }
}

function set(keys: Keyspace, args: string[]): Reply {
  const [key, value] = args as [string, string]
  const options = setOptions(keys, args.slice(2))
  const old = options.get ? (keys.get('string', key) ?? null) : null
  const existing = keys.find(key)
  if ((options.nx && existing) || (options.xx && !existing)) return old
  keys.put('string', key, value, options.keepTtl ? existing?.expireAt : options.expireAt)
  return options.get ? old : OK
}

/** Writes a string and keeps its time of death. */
function update(keys: Keyspace, key: string, value: string): void {
  keys.put('string', key, value, keys.find(key)?.expireAt)
}

function increment(keys: Keyspace, key: string, by: bigint): Reply {
  const current = int64(keys.get('string', key) ?? '0')
  const sum = current + by
  if (sum > INT64_MAX || sum < INT64_MIN) throw new CommandError(ERRORS.overflow)
  update(keys, key, String(sum))
  return integerReply(sum)
}

function getRange(keys: Keyspace, args: string[]): Reply {
  const [key, start, stop] = args as [string, string, string]
  const from = integer(start)
  const to = integer(stop)
  const value = keys.get('string', key) ?? ''
  if (from < 0 && to < 0 && from > to) return ''
  // Unlike lists, an end before the beginning counts as 0.
  const range = resolveRange(from, to < 0 ? Math.max(0, to + value.length) : to, value.length)
  return range ? value.slice(range.from, range.to + 1) : ''
}

function setRange(keys: Keyspace, args: string[]): Reply {
  const [key, at, patch] = args as [string, string, string]
  const offset = integer(at)
  if (offset < 0) throw new CommandError(ERRORS.offset)
  const value = keys.get('string', key) ?? ''
  if (patch === '') return value.length
  if (offset + patch.length > MAX_LENGTH) throw new CommandError(ERRORS.tooLong)
  const next = value.slice(0, offset).padEnd(offset, '\0') + patch + value.slice(offset + patch.length)
  update(keys, key, next)
  return next.length
}

function getEx(keys: Keyspace, args: string[]): Reply {
  const [key, option, amount] = args as [string, string?, string?]
  const word = option?.toUpperCase()
  const persist = word === 'PERSIST' && args.length === 2
  const expiring = word !== undefined && /^(?:EX|PX|EXAT|PXAT)$/.test(word) && args.length === 3
  if (word !== undefined && !persist && !expiring) throw new CommandError(ERRORS.syntax)
  const value = keys.get('string', key)
  if (value === undefined) return null
  const entry = keys.find(key)
  if (entry && (persist || expiring)) {
    keys.changes++
    entry.expireAt = expiring ? deadline(keys, 'getex', word, amount as string, true) : undefined
  }
  return value
}

function setWith(name: string, unit: string) {
  return (keys: Keyspace, args: string[]): Reply => {
    const [key, time, value] = args as [string, string, string]
    keys.put('string', key, value, deadline(keys, name, unit, time, true))
    return OK
  }
}

function setAll(name: string, onlyNew: boolean) {
  return (keys: Keyspace, args: string[]): Reply => {
    if (args.length % 2 !== 0) throw wrongArity(name)
    const all = [...pairs(args)]
    if (onlyNew && all.some(([key]) => keys.find(key))) return 0
    for (const [key, value] of all) keys.put('string', key, value)
    return onlyNew ? 1 : OK
  }
}

/** Commands on strings and counters. */
export const strings: CommandTable = {
  get: reads(2, (keys, [key]) => keys.get('string', key as string) ?? null),
  set: writes(-3, set),
  setnx: writes(3, (keys, args) => {
    const [key, value] = args as [string, string]
    if (keys.find(key)) return 0
    keys.put('string', key, value)
    return 1
  }),
  setex: writes(4, setWith('setex', 'EX')),
  psetex: writes(4, setWith('psetex', 'PX')),
  getset: writes(3, (keys, args) => {
    const [key, value] = args as [string, string]
    const old = keys.get('string', key) ?? null
    keys.put('string', key, value)
    return old
  }),
  getdel: writes(2, (keys, args) => {
    const [key] = args as [string]
    const old = keys.get('string', key) ?? null
    keys.remove(key)
    return old
  }),
  getex: writes(-2, getEx),
  mget: reads(-2, (keys, args) =>
    args.map((key) => {
      const entry = keys.find(key)
      return entry?.type === 'string' ? (entry.value as string) : null
    }),
  ),
  mset: writes(-3, setAll('mset', false)),
  msetnx: writes(-3, setAll('msetnx', true)),
  append: writes(3, (keys, args) => {
    const [key, tail] = args as [string, string]
    const value = (keys.get('string', key) ?? '') + tail
    if (value.length > MAX_LENGTH) throw new CommandError(ERRORS.tooLong)
    update(keys, key, value)
    return value.length
  }),
  strlen: reads(2, (keys, [key]) => (keys.get('string', key as string) ?? '').length),
  getrange: reads(4, getRange),
  substr: reads(4, getRange),
  setrange: writes(4, setRange),
  incr: writes(2, (keys, [key]) => increment(keys, key as string, 1n)),
  decr: writes(2, (keys, [key]) => increment(keys, key as string, -1n)),
  incrby: writes(3, (keys, [key, by]) => increment(keys, key as string, int64(by as string))),
  decrby: writes(3, (keys, [key, by]) => {
    const amount = int64(by as string)
    if (amount === INT64_MIN) throw new CommandError('ERR decrement would overflow')
    return increment(keys, key as string, -amount)
  }),
  incrbyfloat: writes(3, (keys, args) => {
    const [key, by] = args as [string, string]
    const current = keys.get('string', key) ?? '0'
    const infinite = /^[+-]?inf(?:inity)?$/i
    if (isExtended(current) && infinite.test(by)) throw new CommandError(ERRORS.notANumber)
    const sum = addExtended(current, by)
    if (sum === undefined) throw new CommandError(ERRORS.notFloat)
    update(keys, key, sum)
    return sum
  }),
}
