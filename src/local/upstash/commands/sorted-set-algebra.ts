import type { Keyspace } from '../keyspace.ts'
import { double, formatDouble, positive } from '../numbers.ts'
import { CommandError, ERRORS, type Reply } from '../reply.ts'
import { SortedSet } from '../sorted-set.ts'
import { keyList } from './key-list.ts'
import { type CommandTable, reads, writes } from './types.ts'

type Operation = 'union' | 'inter' | 'diff'
type Aggregate = (a: number, b: number) => number

const aggregates: Readonly<Record<string, Aggregate>> = {
  // Infinities of different sign cancel to zero, as Redis has it.
  SUM: (a, b) => (Number.isNaN(a + b) ? 0 : a + b),
  MIN: Math.min,
  MAX: Math.max,
}

/** Sets count as sorted sets of score 1. */
function scores(keys: Keyspace, key: string): Map<string, number> {
  const entry = keys.find(key)
  if (entry === undefined) return new Map()
  if (entry.type === 'set') return new Map([...(entry.value as Set<string>)].map((member) => [member, 1]))
  if (entry.type !== 'zset') throw new CommandError(ERRORS.wrongType)
  return new Map((entry.value as SortedSet).entries().map(({ member, score }) => [member, score]))
}

function weigh(score: number, weight: number): number {
  const product = score * weight
  return Number.isNaN(product) ? 0 : product
}

interface Options {
  readonly weights: number[] | undefined
  readonly aggregate: Aggregate
  readonly withScores: boolean
}

function parse(words: string[], operation: Operation, sources: number, stores: boolean): Options {
  let weights: number[] | undefined
  let aggregate = aggregates['SUM'] as Aggregate
  let withScores = false
  for (let i = 0; i < words.length; i++) {
    const word = (words[i] as string).toUpperCase()
    if (operation !== 'diff' && word === 'WEIGHTS' && words.length - i - 1 >= sources) {
      weights = words
        .slice(i + 1, i + 1 + sources)
        .map((text) => double(text, 'ERR weight value is not a float'))
      i += sources
    } else if (operation !== 'diff' && word === 'AGGREGATE' && i + 1 < words.length) {
      const found = aggregates[(words[++i] as string).toUpperCase()]
      if (!found) throw new CommandError(ERRORS.syntax)
      aggregate = found
    } else if (!stores && word === 'WITHSCORES') withScores = true
    else throw new CommandError(ERRORS.syntax)
  }
  return { weights, aggregate, withScores }
}

function combine(operation: Operation, maps: Map<string, number>[], options: Options): SortedSet {
  const result = new SortedSet()
  const [first, ...rest] = maps as [Map<string, number>, ...Map<string, number>[]]
  if (operation === 'diff') {
    for (const [member, score] of first) {
      if (!rest.some((map) => map.has(member))) result.set(member, score)
    }
    return result
  }
  const weighted = maps.map((map, i) => ({ map, weight: options.weights?.[i] ?? 1 }))
  const members = operation === 'union' ? new Set(maps.flatMap((map) => [...map.keys()])) : first.keys()
  for (const member of members) {
    const parts = weighted.flatMap(({ map, weight }) => {
      const score = map.get(member)
      return score === undefined ? [] : [weigh(score, weight)]
    })
    if (operation === 'inter' && parts.length < maps.length) continue
    result.set(
      member,
      parts.reduce((a, b) => options.aggregate(a, b)),
    )
  }
  return result
}

function answers(operation: Operation, name: string) {
  return (keys: Keyspace, args: string[]): Reply => {
    const { sources, rest } = keyList(args, name, 'union')
    const maps = sources.map((key) => scores(keys, key))
    const options = parse(rest, operation, sources.length, false)
    return combine(operation, maps, options)
      .entries()
      .flatMap(({ member, score }) => (options.withScores ? [member, formatDouble(score)] : [member]))
  }
}

function stores(operation: Operation, name: string) {
  return (keys: Keyspace, args: string[]): Reply => {
    const [target, ...others] = args as [string, ...string[]]
    const { sources, rest } = keyList(others, name, 'union')
    const maps = sources.map((key) => scores(keys, key))
    const result = combine(operation, maps, parse(rest, operation, sources.length, true))
    keys.store('zset', target, result)
    return result.size
  }
}

function intersectionSize(keys: Keyspace, args: string[]): Reply {
  const { sources, rest } = keyList(args, 'zintercard', 'union')
  const maps = sources.map((key) => scores(keys, key))
  let limit = 0
  for (let i = 0; i < rest.length; i += 2) {
    if ((rest[i] as string).toUpperCase() !== 'LIMIT' || rest[i + 1] === undefined) {
      throw new CommandError(ERRORS.syntax)
    }
    limit = positive(rest[i + 1] as string, "ERR LIMIT can't be negative")
  }
  const size = combine('inter', maps, parse([], 'inter', sources.length, true)).size
  return limit > 0 ? Math.min(limit, size) : size
}

/** Unions, intersections and differences of sorted sets. */
export const sortedSetAlgebra: CommandTable = {
  zunion: reads(-3, answers('union', 'zunion')),
  zinter: reads(-3, answers('inter', 'zinter')),
  zdiff: reads(-3, answers('diff', 'zdiff')),
  zunionstore: writes(-4, stores('union', 'zunionstore')),
  zinterstore: writes(-4, stores('inter', 'zinterstore')),
  zdiffstore: writes(-4, stores('diff', 'zdiffstore')),
  zintercard: reads(-3, intersectionSize),
}
