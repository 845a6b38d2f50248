import type { Keyspace } from '../keyspace.ts'
import { integer, positive, resolveRange } from '../numbers.ts'
import { CommandError, ERRORS, OK, type Reply, wrongArity } from '../reply.ts'
import { keyList } from './key-list.ts'
import { type CommandTable, reads, writes } from './types.ts'

type Side = 'LEFT' | 'RIGHT'

const EMPTY: readonly string[] = []

function view(keys: Keyspace, key: string): readonly string[] {
  return keys.get('list', key) ?? EMPTY
}

function side(word: string): Side {
  const name = word.toUpperCase()
  if (name !== 'LEFT' && name !== 'RIGHT') throw new CommandError(ERRORS.syntax)
  return name
}

function pushes(end: Side, onlyExisting: boolean) {
  return (keys: Keyspace, args: string[]): Reply => {
    const [key, ...items] = args as [string, ...string[]]
    if (onlyExisting && !keys.get('list', key)) return 0
    const list = keys.open('list', key)
    if (end === 'RIGHT') for (const item of items) list.push(item)
    else list.unshift(...items.toReversed())
    keys.changes++
    return list.length
  }
}

function take(keys: Keyspace, key: string, end: Side, count: number): string[] {
  const list = keys.get('list', key)
  if (!list || count === 0) return []
  const taken =
    end === 'LEFT' ? list.splice(0, count) : list.splice(Math.max(0, list.length - count)).toReversed()
  keys.changes++
  keys.settle(key)
  return taken
}

function pops(end: Side, name: string) {
  return (keys: Keyspace, args: string[]): Reply => {
    const [key, count] = args as [string, string?]
    if (args.length > 2) throw wrongArity(name)
    const wanted = count === undefined ? 1 : positive(count)
    if (!keys.get('list', key)) return null
    const taken = take(keys, key, end, wanted)
    return count === undefined ? (taken[0] as string) : taken
  }
}

function move(keys: Keyspace, from: string, to: string, source: Side, target: Side): Reply {
  if (!keys.get('list', from)) return null
  keys.get('list', to)
  const [item] = take(keys, from, source, 1) as [string]
  const list = keys.open('list', to)
  if (target === 'LEFT') list.unshift(item)
  else list.push(item)
  keys.changes++
  return item
}

function popMany(keys: Keyspace, args: string[]): Reply {
  const { sources, rest } = keyList(args, 'lmpop', 'at-least-one')
  if (rest[0] === undefined) throw new CommandError(ERRORS.syntax)
  const end = side(rest[0])
  let count = 1
  if (rest.length > 1) {
    if (rest.length !== 3 || (rest[1] as string).toUpperCase() !== 'COUNT')
      throw new CommandError(ERRORS.syntax)
    count = positive(rest[2] as string, 'ERR count should be greater than 0')
    if (count === 0) throw new CommandError('ERR count should be greater than 0')
  }
  for (const key of sources) {
    if (keys.get('list', key)) return [key, take(keys, key, end, count)]
  }
  return null
}

function position(keys: Keyspace, args: string[]): Reply {
  const [key, item, ...words] = args as [string, string, ...string[]]
  let rank = 1
  let count: number | undefined
  let limit = 0
  for (let i = 0; i < words.length; i += 2) {
    const name = (words[i] as string).toUpperCase()
    const value = words[i + 1]
    if (value === undefined) throw new CommandError(ERRORS.syntax)
    if (name === 'RANK') {
      rank = integer(value)
      if (rank === 0) {
        throw new CommandError(
          "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
        )
      }
    } else if (name === 'COUNT') count = positive(value, "ERR COUNT can't be negative")
    else if (name === 'MAXLEN') limit = positive(value, "ERR MAXLEN can't be negative")
    else throw new CommandError(ERRORS.syntax)
  }
  const list = view(keys, key)
  const found: number[] = []
  const looked = limit === 0 ? list.length : Math.min(limit, list.length)
  let skip = Math.abs(rank) - 1
  for (let i = 0; i < looked; i++) {
    const index = rank > 0 ? i : list.length - 1 - i
    if (list[index] !== item || skip-- > 0) continue
    found.push(index)
    if (found.length === (count ?? 1)) break
  }
  return count === undefined ? (found[0] ?? null) : found
}

function removeItems(keys: Keyspace, args: string[]): Reply {
  const [key, count, item] = args as [string, string, string]
  const wanted = integer(count)
  const list = keys.get('list', key)
  if (!list) return 0
  const limit = wanted === 0 ? list.length : Math.abs(wanted)
  let gone = 0
  for (let i = 0; i < list.length && gone < limit; ) {
    const index = wanted < 0 ? list.length - 1 - i : i
    if (list[index] === item) {
      list.splice(index, 1)
      gone++
    } else i++
  }
  if (gone > 0) keys.changes++
  keys.settle(key)
  return gone
}

function insert(keys: Keyspace, args: string[]): Reply {
  const [key, where, pivot, item] = args as [string, string, string, string]
  const word = where.toUpperCase()
  if (word !== 'BEFORE' && word !== 'AFTER') throw new CommandError(ERRORS.syntax)
  const list = keys.get('list', key)
  if (!list) return 0
  const at = list.indexOf(pivot)
  if (at < 0) return -1
  list.splice(word === 'BEFORE' ? at : at + 1, 0, item)
  keys.changes++
  return list.length
}

/** Commands on lists. */
export const lists: CommandTable = {
  lpush: writes(-3, pushes('LEFT', false)),
  rpush: writes(-3, pushes('RIGHT', false)),
  lpushx: writes(-3, pushes('LEFT', true)),
  rpushx: writes(-3, pushes('RIGHT', true)),
  lpop: writes(-2, pops('LEFT', 'lpop')),
  rpop: writes(-2, pops('RIGHT', 'rpop')),
  llen: reads(2, (keys, [key]) => view(keys, key as string).length),
  lrange: reads(4, (keys, args) => {
    const [key, start, stop] = args as [string, string, string]
    const from = integer(start)
    const to = integer(stop)
    const list = view(keys, key)
    const range = resolveRange(from, to, list.length)
    return range ? list.slice(range.from, range.to + 1) : []
  }),
  lindex: reads(3, (keys, [key, index]) => {
    const list = view(keys, key as string)
    if (list.length === 0) return null
    return list.at(integer(index as string)) ?? null
  }),
  lset: writes(4, (keys, args) => {
    const [key, index, item] = args as [string, string, string]
    const list = keys.get('list', key)
    if (!list) throw new CommandError(ERRORS.noSuchKey)
    const given = integer(index)
    const at = given < 0 ? given + list.length : given
    if (at < 0 || at >= list.length) throw new CommandError(ERRORS.indexOutOfRange)
    list[at] = item
    keys.changes++
    return OK
  }),
  ltrim: writes(4, (keys, args) => {
    const [key, start, stop] = args as [string, string, string]
    const from = integer(start)
    const to = integer(stop)
    const list = keys.get('list', key)
    if (!list) return OK
    const range = resolveRange(from, to, list.length)
    list.splice((range?.to ?? -1) + 1)
    if (range) list.splice(0, range.from)
    keys.changes++
    keys.settle(key)
    return OK
  }),
  lrem: writes(4, removeItems),
  linsert: writes(5, insert),
  lpos: reads(-3, position),
  lmove: writes(5, (keys, args) => {
    const [from, to, source, target] = args as [string, string, string, string]
    return move(keys, from, to, side(source), side(target))
  }),
  rpoplpush: writes(3, (keys, [from, to]) => move(keys, from as string, to as string, 'RIGHT', 'LEFT')),
  lmpop: writes(-4, popMany),
}
