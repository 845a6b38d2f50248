import type { Keyspace } from '../keyspace.ts'
import { integer, positive } from '../numbers.ts'
import { CommandError, ERRORS, type Reply } from '../reply.ts'
import { keyList } from './key-list.ts'
import { pick } from './random.ts'
import { scanCursor, scanOptions, scanPage } from './scan.ts'
import { type CommandTable, reads, writes } from './types.ts'

const EMPTY: ReadonlySet<string> = new Set()

function view(keys: Keyspace, key: string): ReadonlySet<string> {
  return keys.get('set', key) ?? EMPTY
}

type Combine = (sets: ReadonlySet<string>[]) => Set<string>

const intersect: Combine = ([first = EMPTY, ...rest]) =>
  new Set([...first].filter((member) => rest.every((set) => set.has(member))))
const unite: Combine = (sets) => new Set(sets.flatMap((set) => [...set]))
const subtract: Combine = ([first = EMPTY, ...rest]) =>
  new Set([...first].filter((member) => !rest.some((set) => set.has(member))))

function combines(combine: Combine) {
  return (keys: Keyspace, args: string[]): Reply => [...combine(args.map((key) => view(keys, key)))]
}

function stores(combine: Combine) {
  return (keys: Keyspace, args: string[]): Reply => {
    const [target, ...sources] = args as [string, ...string[]]
    const result = combine(sources.map((key) => view(keys, key)))
    keys.store('set', target, result)
    return result.size
  }
}

function remove(keys: Keyspace, key: string, members: readonly string[]): number {
  const set = keys.get('set', key)
  if (!set) return 0
  let gone = 0
  for (const member of members) if (set.delete(member)) gone++
  if (gone > 0) keys.changes++
  keys.settle(key)
  return gone
}

function pop(keys: Keyspace, args: string[]): Reply {
  const [key, count] = args as [string, string?]
  if (args.length > 2) throw new CommandError(ERRORS.syntax)
  const wanted = count === undefined ? 1 : positive(count)
  const popped = pick([...view(keys, key)], wanted)
  remove(keys, key, popped)
  return count === undefined ? (popped[0] ?? null) : popped
}

function randomMember(keys: Keyspace, args: string[]): Reply {
  const [key, count] = args as [string, string?]
  if (args.length > 2) throw new CommandError(ERRORS.syntax)
  if (count === undefined) return pick([...view(keys, key)], 1)[0] ?? null
  const wanted = integer(count)
  return pick([...view(keys, key)], wanted)
}

function intersectionSize(keys: Keyspace, args: string[]): Reply {
  const { sources, rest } = keyList(args, 'sintercard', 'at-least-one')
  let limit = 0
  for (let i = 0; i < rest.length; i += 2) {
    if ((rest[i] as string).toUpperCase() !== 'LIMIT' || rest[i + 1] === undefined) {
      throw new CommandError(ERRORS.syntax)
    }
    limit = positive(rest[i + 1] as string, "ERR LIMIT can't be negative")
  }
  const size = intersect(sources.map((key) => view(keys, key))).size
  return limit > 0 ? Math.min(limit, size) : size
}

/** Commands on sets. */
export const sets: CommandTable = {
  sadd: writes(-3, (keys, args) => {
    const [key, ...members] = args as [string, ...string[]]
    const set = keys.open('set', key)
    const before = set.size
    for (const member of members) set.add(member)
    if (set.size !== before) keys.changes++
    return set.size - before
  }),
  srem: writes(-3, (keys, [key, ...members]) => remove(keys, key as string, members)),
  smembers: reads(2, (keys, [key]) => [...view(keys, key as string)]),
  scard: reads(2, (keys, [key]) => view(keys, key as string).size),
  sismember: reads(3, (keys, [key, member]) => (view(keys, key as string).has(member as string) ? 1 : 0)),
  smismember: reads(-3, (keys, [key, ...members]) => {
    const set = view(keys, key as string)
    return members.map((member) => (set.has(member) ? 1 : 0))
  }),
  smove: writes(4, (keys, args) => {
    const [from, to, member] = args as [string, string, string]
    const source = keys.get('set', from)
    if (!source) return 0
    keys.get('set', to)
    if (!source.has(member)) return 0
    if (from === to) return 1
    remove(keys, from, [member])
    keys.open('set', to).add(member)
    keys.changes++
    return 1
  }),
  spop: writes(-2, pop),
  srandmember: reads(-2, randomMember),
  sinter: reads(-2, combines(intersect)),
  sunion: reads(-2, combines(unite)),
  sdiff: reads(-2, combines(subtract)),
  sinterstore: writes(-3, stores(intersect)),
  sunionstore: writes(-3, stores(unite)),
  sdiffstore: writes(-3, stores(subtract)),
  sintercard: reads(-3, intersectionSize),
  sscan: reads(-3, (keys, args) => {
    const [key, cursor, ...words] = args as [string, string, ...string[]]
    const at = scanCursor(cursor)
    const set = keys.get('set', key)
    if (!set) return ['0', []]
    return scanPage(
      [...set],
      at,
      scanOptions(words),
      (member) => member,
      (member) => [member],
    )
  }),
}
