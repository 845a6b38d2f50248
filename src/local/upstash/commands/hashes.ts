import { addExtended, isExtended } from '../extended.ts'
import type { Keyspace } from '../keyspace.ts'
import { INT64_MAX, INT64_MIN, int64, integer } from '../numbers.ts'
import { CommandError, ERRORS, integerReply, OK, type Reply, wrongArity } from '../reply.ts'
import { pick } from './random.ts'
import { scanCursor, scanOptions, scanPage } from './scan.ts'
import { type CommandTable, pairs, reads, writes } from './types.ts'

const EMPTY: ReadonlyMap<string, string> = new Map()

function view(keys: Keyspace, key: string): ReadonlyMap<string, string> {
  return keys.get('hash', key) ?? EMPTY
}

function put(keys: Keyspace, key: string, fields: Iterable<[string, string]>): number {
  const hash = keys.open('hash', key)
  const before = hash.size
  for (const [field, value] of fields) hash.set(field, value)
  keys.changes++
  return hash.size - before
}

function remove(keys: Keyspace, args: string[]): Reply {
  const [key, ...fields] = args as [string, ...string[]]
  const hash = keys.get('hash', key)
  if (!hash) return 0
  let gone = 0
  for (const field of fields) if (hash.delete(field)) gone++
  if (gone > 0) keys.changes++
  keys.settle(key)
  return gone
}

function randomField(keys: Keyspace, args: string[]): Reply {
  const [key, count, option] = args as [string, string?, string?]
  if (count === undefined) {
    const all = [...view(keys, key).keys()]
    return all.length === 0 ? null : (pick(all, -1)[0] as string)
  }
  const wanted = integer(count)
  if (args.length > 3 || (option !== undefined && option.toUpperCase() !== 'WITHVALUES')) {
    throw new CommandError(ERRORS.syntax)
  }
  return pick([...view(keys, key)], wanted).flatMap(([field, value]) =>
    option === undefined ? [field] : [field, value],
  )
}

/** Commands on hashes. */
export const hashes: CommandTable = {
  hset: writes(-4, (keys, args) => {
    if (args.length % 2 !== 1) throw wrongArity('hset')
    return put(keys, args[0] as string, pairs(args.slice(1)))
  }),
  hmset: writes(-4, (keys, args) => {
    if (args.length % 2 !== 1) throw wrongArity('hmset')
    put(keys, args[0] as string, pairs(args.slice(1)))
    return OK
  }),
  hsetnx: writes(4, (keys, args) => {
    const [key, field, value] = args as [string, string, string]
    return view(keys, key).has(field) ? 0 : put(keys, key, [[field, value]])
  }),
  hget: reads(3, (keys, args) => {
    const [key, field] = args as [string, string]
    return view(keys, key).get(field) ?? null
  }),
  hmget: reads(-3, (keys, args) => {
    const [key, ...fields] = args as [string, ...string[]]
    const hash = view(keys, key)
    return fields.map((field) => hash.get(field) ?? null)
  }),
  hgetall: reads(2, (keys, [key]) => [...view(keys, key as string)].flat()),
  hkeys: reads(2, (keys, [key]) => [...view(keys, key as string).keys()]),
  hvals: reads(2, (keys, [key]) => [...view(keys, key as string).values()]),
  hlen: reads(2, (keys, [key]) => view(keys, key as string).size),
  hexists: reads(3, (keys, [key, field]) => (view(keys, key as string).has(field as string) ? 1 : 0)),
  hstrlen: reads(3, (keys, [key, field]) => view(keys, key as string).get(field as string)?.length ?? 0),
  hdel: writes(-3, remove),
  hincrby: writes(4, (keys, args) => {
    const [key, field, by] = args as [string, string, string]
    const amount = int64(by)
    const current = int64(view(keys, key).get(field) ?? '0', 'ERR hash value is not an integer')
    const sum = current + amount
    if (sum > INT64_MAX || sum < INT64_MIN) throw new CommandError(ERRORS.overflow)
    put(keys, key, [[field, String(sum)]])
    return integerReply(sum)
  }),
  hincrbyfloat: writes(4, (keys, args) => {
    const [key, field, by] = args as [string, string, string]
    const infinite = /^[+-]?inf(?:inity)?$/i.test(by)
    if (!infinite && !isExtended(by)) throw new CommandError(ERRORS.notFloat)
    const current = view(keys, key).get(field) ?? '0'
    if (!isExtended(current)) throw new CommandError('ERR hash value is not a float')
    const sum = infinite ? undefined : addExtended(current, by)
    if (sum === undefined) throw new CommandError('ERR value is NaN or Infinity')
    put(keys, key, [[field, sum]])
    return sum
  }),
  hrandfield: reads(-2, randomField),
  hscan: reads(-3, (keys, args) => {
    const [key, cursor, ...words] = args as [string, string, ...string[]]
    const at = scanCursor(cursor)
    const hash = keys.get('hash', key)
    if (!hash) return ['0', []]
    return scanPage(
      [...hash],
      at,
      scanOptions(words),
      ([field]) => field,
      (pair) => pair,
    )
  }),
}
