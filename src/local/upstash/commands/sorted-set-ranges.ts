import type { Keyspace } from '../keyspace.ts'
import { formatDouble, integer, parseDouble, resolveRange } from '../numbers.ts'
import { CommandError, ERRORS, type Reply } from '../reply.ts'
import { type Scored, SortedSet } from '../sorted-set.ts'
import { type CommandTable, reads, writes } from './types.ts'

type By = 'RANK' | 'SCORE' | 'LEX'
type Test = (entry: Scored) => boolean

interface Query {
  readonly by: By
  readonly reverse: boolean
  readonly withScores: boolean
  readonly offset: number
  /** Below zero: all. */
  readonly limit: number
}

function scoreBound(text: string): { value: number; open: boolean } {
  const open = text.startsWith('(')
  const value = parseDouble(open ? text.slice(1) : text)
  if (value === undefined) throw new CommandError('ERR min or max is not a float')
  return { value, open }
}

function scoreTest(min: string, max: string): Test {
  const low = scoreBound(min)
  const high = scoreBound(max)
  return ({ score }) =>
    (low.open ? score > low.value : score >= low.value) &&
    (high.open ? score < high.value : score <= high.value)
}

type LexBound = '-' | '+' | { readonly text: string; readonly open: boolean }

function lexBound(text: string): LexBound {
  if (text === '-' || text === '+') return text
  if (text[0] === '[' || text[0] === '(') return { text: text.slice(1), open: text[0] === '(' }
  throw new CommandError('ERR min or max not valid string range item')
}

/**
 * A range by member, walked as Redis walks it: from the first member that is high enough to the first that is too
 * high. With equal scores, which is what the command is for, that is the range; with others it still answers the same.
 */
function lexRange(all: readonly Scored[], min: string, max: string, reverse: boolean): Scored[] {
  const low = lexBound(min)
  const high = lexBound(max)
  const above: Test = ({ member }) =>
    low === '-' || (low !== '+' && (low.open ? member > low.text : member >= low.text))
  const below: Test = ({ member }) =>
    high === '+' || (high !== '-' && (high.open ? member < high.text : member <= high.text))
  const [first] = all
  const last = all.at(-1)
  if (!first || !last || !above(last) || !below(first)) return []
  const walk = reverse ? all.toReversed() : all
  const [enters, stays] = reverse ? [below, above] : [above, below]
  const start = walk.findIndex(enters)
  if (start < 0) return []
  const end = walk.findIndex((entry, i) => i >= start && !stays(entry))
  return walk.slice(start, end < 0 ? undefined : end)
}

/** A range by score or by member, lowest first unless reversed; `min` is the lower bound either way. */
function boundedRange(
  keys: Keyspace,
  key: string,
  by: 'SCORE' | 'LEX',
  min: string,
  max: string,
  reverse = false,
): Scored[] {
  const entries = (): readonly Scored[] => keys.get('zset', key)?.entries() ?? []
  if (by === 'LEX') {
    // The bounds are read before the key, so that their errors come first.
    lexBound(min)
    lexBound(max)
    return lexRange(entries(), min, max, reverse)
  }
  const test = scoreTest(min, max)
  const found = entries().filter(test)
  return reverse ? found.reverse() : found
}

function find(keys: Keyspace, key: string, start: string, stop: string, query: Query): Scored[] {
  if (query.by === 'RANK') {
    const from = integer(start)
    const to = integer(stop)
    const all = keys.get('zset', key)?.entries() ?? []
    const range = resolveRange(from, to, all.length)
    if (!range) return []
    return (query.reverse ? all.toReversed() : all).slice(range.from, range.to + 1)
  }
  const [min, max] = query.reverse ? [stop, start] : [start, stop]
  const found = boundedRange(keys, key, query.by, min, max, query.reverse)
  if (query.offset < 0) return []
  return found.slice(query.offset, query.limit < 0 ? undefined : query.offset + query.limit)
}

function flat(entries: readonly Scored[], withScores: boolean): Reply[] {
  return entries.flatMap(({ member, score }) => (withScores ? [member, formatDouble(score)] : [member]))
}

/** Reads `BYSCORE`, `BYLEX`, `REV`, `LIMIT offset count`, `WITHSCORES` as far as the command takes them. */
function parse(words: string[], base: { by?: By; reverse?: boolean; store?: boolean }): Query {
  let by = base.by
  let reverse = base.reverse
  let withScores = false
  let offset = 0
  let limit: number | undefined
  for (let i = 0; i < words.length; i++) {
    const word = (words[i] as string).toUpperCase()
    if (word === 'WITHSCORES' && !base.store) withScores = true
    else if (word === 'LIMIT' && i + 2 < words.length) {
      offset = integer(words[++i] as string)
      limit = integer(words[++i] as string)
    } else if (word === 'REV' && base.reverse === undefined) reverse = true
    else if (word === 'BYSCORE' && base.by === undefined) by = 'SCORE'
    else if (word === 'BYLEX' && base.by === undefined) by = 'LEX'
    else throw new CommandError(ERRORS.syntax)
  }
  const query = { by: by ?? 'RANK', reverse: reverse ?? false, withScores, offset, limit: limit ?? -1 }
  if (query.by === 'RANK' && limit !== undefined) {
    throw new CommandError(
      'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
    )
  }
  if (query.by === 'LEX' && withScores) {
    throw new CommandError('ERR syntax error, WITHSCORES not supported in combination with BYLEX')
  }
  return query
}

function ranges(base: { by?: By; reverse?: boolean }) {
  return (keys: Keyspace, args: string[]): Reply => {
    const [key, start, stop, ...words] = args as [string, string, string, ...string[]]
    const query = parse(words, base)
    return flat(find(keys, key, start, stop, query), query.withScores)
  }
}

function counts(by: 'SCORE' | 'LEX') {
  return (keys: Keyspace, args: string[]): Reply => {
    const [key, min, max] = args as [string, string, string]
    return boundedRange(keys, key, by, min, max).length
  }
}

function removes(by: By) {
  return (keys: Keyspace, args: string[]): Reply => {
    const [key, start, stop] = args as [string, string, string]
    const query = { by, reverse: false, withScores: false, offset: 0, limit: -1 }
    const found = find(keys, key, start, stop, query)
    const set = keys.get('zset', key)
    for (const { member } of found) set?.delete(member)
    if (found.length > 0) keys.changes++
    keys.settle(key)
    return found.length
  }
}

/** Commands on ranges of sorted sets. */
export const sortedSetRanges: CommandTable = {
  zrange: reads(-4, ranges({})),
  zrevrange: reads(-4, ranges({ by: 'RANK', reverse: true })),
  zrangebyscore: reads(-4, ranges({ by: 'SCORE', reverse: false })),
  zrevrangebyscore: reads(-4, ranges({ by: 'SCORE', reverse: true })),
  zrangebylex: reads(-4, ranges({ by: 'LEX', reverse: false })),
  zrevrangebylex: reads(-4, ranges({ by: 'LEX', reverse: true })),
  zrangestore: writes(-5, (keys, args) => {
    const [target, key, start, stop, ...words] = args as [string, string, string, string, ...string[]]
    const result = new SortedSet()
    for (const { member, score } of find(keys, key, start, stop, parse(words, { store: true }))) {
      result.set(member, score)
    }
    keys.store('zset', target, result)
    return result.size
  }),
  zcount: reads(4, counts('SCORE')),
  zlexcount: reads(4, counts('LEX')),
  zremrangebyrank: writes(4, removes('RANK')),
  zremrangebyscore: writes(4, removes('SCORE')),
  zremrangebylex: writes(4, removes('LEX')),
}
