import type { Keyspace } from '../keyspace.ts'
import { double, formatDouble, integer, positive } from '../numbers.ts'
import { CommandError, ERRORS, type Reply } from '../reply.ts'
import { type Scored, SortedSet } from '../sorted-set.ts'
import { keyList } from './key-list.ts'
import { pick } from './random.ts'
import { scanCursor, scanOptions, scanPage } from './scan.ts'
import { type CommandTable, pairs, reads, writes } from './types.ts'

interface AddFlags {
  nx: boolean
  xx: boolean
  gt: boolean
  lt: boolean
  ch: boolean
  incr: boolean
}

function add(keys: Keyspace, args: string[], implied?: 'incr'): Reply {
  const [key, ...words] = args as [string, ...string[]]
  const flags: AddFlags = { nx: false, xx: false, gt: false, lt: false, ch: false, incr: implied === 'incr' }
  let at = 0
  while (implied === undefined && at < words.length) {
    const name = (words[at] as string).toLowerCase()
    if (!Object.hasOwn(flags, name)) break
    flags[name as keyof AddFlags] = true
    at++
  }
  const rest = words.slice(at)
  if (rest.length === 0 || rest.length % 2 !== 0) throw new CommandError(ERRORS.syntax)
  if (flags.nx && flags.xx) {
    throw new CommandError('ERR XX and NX options at the same time are not compatible')
  }
  if ((flags.gt && flags.nx) || (flags.lt && flags.nx) || (flags.gt && flags.lt)) {
    throw new CommandError('ERR GT, LT, and/or NX options at the same time are not compatible')
  }
  if (flags.incr && rest.length > 2) {
    throw new CommandError('ERR INCR option supports a single increment-element pair')
  }
  const scored = [...pairs(rest)].map(([score, member]) => ({ score: double(score) + 0, member }))
  if (flags.xx && !keys.get('zset', key)) return flags.incr ? null : 0
  const set = keys.open('zset', key)
  let added = 0
  let changed = 0
  let outcome: number | undefined
  for (const { score, member } of scored) {
    const current = set.score(member)
    if (current === undefined ? flags.xx : flags.nx) continue
    const next = flags.incr && current !== undefined ? current + score : score
    if (Number.isNaN(next)) {
      keys.settle(key)
      throw new CommandError('ERR resulting score is not a number (NaN)')
    }
    if (current !== undefined && ((flags.gt && next <= current) || (flags.lt && next >= current))) continue
    if (current === undefined) added++
    else if (next !== current) changed++
    set.set(member, next)
    outcome = next
  }
  keys.changes++
  keys.settle(key)
  if (flags.incr) return outcome === undefined ? null : formatDouble(outcome)
  return flags.ch ? added + changed : added
}

function remove(keys: Keyspace, key: string, members: readonly string[]): number {
  const set = keys.get('zset', key)
  if (!set) return 0
  let gone = 0
  for (const member of members) if (set.delete(member)) gone++
  if (gone > 0) keys.changes++
  keys.settle(key)
  return gone
}

function rank(reverse: boolean) {
  return (keys: Keyspace, args: string[]): Reply => {
    const [key, member] = args as [string, string]
    const set = keys.get('zset', key)
    const at = set?.rank(member)
    if (set === undefined || at === undefined) return null
    return reverse ? set.size - 1 - at : at
  }
}

function taken(keys: Keyspace, key: string, end: 'MIN' | 'MAX', count: number): Scored[] {
  const all = keys.get('zset', key)?.entries() ?? []
  const items = end === 'MIN' ? all.slice(0, count) : all.slice(Math.max(0, all.length - count)).toReversed()
  remove(
    keys,
    key,
    items.map(({ member }) => member),
  )
  return items
}

function pops(end: 'MIN' | 'MAX') {
  return (keys: Keyspace, args: string[]): Reply => {
    const [key, count] = args as [string, string?]
    if (args.length > 2) throw new CommandError(ERRORS.syntax)
    const wanted = count === undefined ? 1 : positive(count)
    return taken(keys, key, end, wanted).flatMap(({ member, score }) => [member, formatDouble(score)])
  }
}

function popMany(keys: Keyspace, args: string[]): Reply {
  const { sources, rest } = keyList(args, 'zmpop', 'at-least-one')
  const end = rest[0]?.toUpperCase()
  if (end !== 'MIN' && end !== 'MAX') throw new CommandError(ERRORS.syntax)
  let count = 1
  if (rest.length > 1) {
    if (rest.length !== 3 || (rest[1] as string).toUpperCase() !== 'COUNT')
      throw new CommandError(ERRORS.syntax)
    count = positive(rest[2] as string, 'ERR count should be greater than 0')
    if (count === 0) throw new CommandError('ERR count should be greater than 0')
  }
  for (const key of sources) {
    if (keys.get('zset', key)) {
      return [key, taken(keys, key, end, count).map(({ member, score }) => [member, formatDouble(score)])]
    }
  }
  return null
}

function randomMember(keys: Keyspace, args: string[]): Reply {
  const [key, count, option] = args as [string, string?, string?]
  if (count === undefined) return pick(keys.get('zset', key)?.entries() ?? [], 1)[0]?.member ?? null
  const wanted = integer(count)
  if (args.length > 3 || (option !== undefined && option.toUpperCase() !== 'WITHSCORES')) {
    throw new CommandError(ERRORS.syntax)
  }
  return pick(keys.get('zset', key)?.entries() ?? [], wanted).flatMap(({ member, score }) =>
    option === undefined ? [member] : [member, formatDouble(score)],
  )
}

/** Commands on single sorted sets, ranges apart. */
export const sortedSets: CommandTable = {
  zadd: writes(-4, (keys, args) => add(keys, args)),
  zincrby: writes(4, (keys, args) => add(keys, args, 'incr')),
  zrem: writes(-3, (keys, [key, ...members]) => remove(keys, key as string, members)),
  zcard: reads(2, (keys, [key]) => keys.get('zset', key as string)?.size ?? 0),
  zscore: reads(3, (keys, [key, member]) => {
    const score = keys.get('zset', key as string)?.score(member as string)
    return score === undefined ? null : formatDouble(score)
  }),
  zmscore: reads(-3, (keys, [key, ...members]) => {
    const set = keys.get('zset', key as string) ?? new SortedSet()
    return members.map((member) => {
      const score = set.score(member)
      return score === undefined ? null : formatDouble(score)
    })
  }),
  zrank: reads(3, rank(false)),
  zrevrank: reads(3, rank(true)),
  zpopmin: writes(-2, pops('MIN')),
  zpopmax: writes(-2, pops('MAX')),
  zmpop: writes(-4, popMany),
  zrandmember: reads(-2, randomMember),
  zscan: reads(-3, (keys, args) => {
    const [key, cursor, ...words] = args as [string, string, ...string[]]
    const at = scanCursor(cursor)
    const set = keys.get('zset', key)
    if (!set) return ['0', []]
    return scanPage(
      set.entries(),
      at,
      scanOptions(words),
      ({ member }) => member,
      ({ member, score }) => [member, formatDouble(score)],
    )
  }),
}
