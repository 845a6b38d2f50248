import { globMatch } from '../glob.ts'
import type { Entry, Keyspace } from '../keyspace.ts'
import { integer } from '../numbers.ts'
import { CommandError, ERRORS, OK, type Reply, Status } from '../reply.ts'
import { SortedSet } from '../sorted-set.ts'
import { pick } from './random.ts'
import { scanCursor, scanOptions } from './scan.ts'
import { type CommandTable, reads, writes } from './types.ts'

function removeAll(keys: Keyspace, args: string[]): Reply {
  return args.filter((key) => keys.find(key) && keys.remove(key)).length
}

function move(keys: Keyspace, from: string, to: string, entry: Entry): void {
  keys.remove(from)
  // The target's old place in the map goes too: a renamed key is a new key to a scan.
  keys.remove(to)
  keys.put(entry.type, to, entry.value, entry.expireAt)
}

function clone(entry: Entry): Entry['value'] {
  const { value } = entry
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return [...value]
  if (value instanceof Map) return new Map(value)
  if (value instanceof Set) return new Set(value)
  const copy = new SortedSet()
  for (const { member, score } of value.entries()) copy.set(member, score)
  return copy
}

function copy(keys: Keyspace, args: string[]): Reply {
  const [from, to, ...words] = args as [string, string, ...string[]]
  let replace = false
  for (let i = 0; i < words.length; i++) {
    const word = (words[i] as string).toUpperCase()
    if (word === 'REPLACE') replace = true
    else if (word === 'DB' && i + 1 < words.length) {
      if (integer(words[++i] as string) !== 0) throw new CommandError('ERR DB index is out of range')
    } else throw new CommandError(ERRORS.syntax)
  }
  if (from === to) throw new CommandError('ERR source and destination objects are the same')
  const entry = keys.find(from)
  if (!entry) return 0
  if (keys.find(to)) {
    if (!replace) return 0
    keys.remove(to)
  }
  keys.put(entry.type, to, clone(entry), entry.expireAt)
  return 1
}

function flush(keys: Keyspace, args: string[]): Reply {
  const mode = args[0]?.toUpperCase()
  if (args.length > 1 || (mode !== undefined && mode !== 'ASYNC' && mode !== 'SYNC')) {
    throw new CommandError(ERRORS.syntax)
  }
  keys.clear()
  return OK
}

/** Commands on keys whatever they hold. */
export const keyCommands: CommandTable = {
  del: writes(-2, removeAll),
  unlink: writes(-2, removeAll),
  exists: reads(-2, (keys, args) => args.filter((key) => keys.find(key)).length),
  touch: reads(-2, (keys, args) => args.filter((key) => keys.find(key)).length),
  type: reads(2, (keys, [key]) => new Status(keys.find(key as string)?.type ?? 'none')),
  rename: writes(3, (keys, args) => {
    const [from, to] = args as [string, string]
    const entry = keys.find(from)
    if (!entry) throw new CommandError(ERRORS.noSuchKey)
    if (from !== to) move(keys, from, to, entry)
    return OK
  }),
  renamenx: writes(3, (keys, args) => {
    const [from, to] = args as [string, string]
    const entry = keys.find(from)
    if (!entry) throw new CommandError(ERRORS.noSuchKey)
    if (from === to || keys.find(to)) return 0
    move(keys, from, to, entry)
    return 1
  }),
  copy: writes(-3, copy),
  keys: reads(2, (keys, [pattern]) =>
    [...keys.live()].map(([key]) => key).filter((key) => globMatch(pattern as string, key)),
  ),
  randomkey: reads(1, (keys) => pick([...keys.live()], -1)[0]?.[0] ?? null),
  scan: reads(-2, (keys, args) => {
    const [cursor, ...words] = args as [string, ...string[]]
    const at = scanCursor(cursor)
    const options = scanOptions(words, true)
    const { cursor: next, page } = keys.scan(at, options.count)
    return [
      String(next),
      page
        .filter(([key, entry]) => options.matches(key) && (!options.type || entry.type === options.type))
        .map(([key]) => key),
    ]
  }),
  dbsize: reads(1, (keys) => keys.size),
  flushdb: writes(-1, flush),
  flushall: writes(-1, flush),
}
