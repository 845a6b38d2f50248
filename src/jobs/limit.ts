import { type Duration, milliseconds } from '../core/index.ts'
import type { Limit } from './lanes.ts'

/** How jobs of one type are limited by key. */
export interface LimitOptions<Out> {
  /** The key under which jobs are counted together, such as a tenant's id. Default: all jobs of the type. */
  readonly key?: (input: Out) => string
  /** How many run at once. */
  readonly concurrency?: number
  /** How many start within a time; as many may start at once after a rest. */
  readonly rate?: { readonly count: number; readonly per: Duration }
}

/** {@link LimitOptions}, checked. */
export interface CompiledLimit<Out> extends Limit {
  readonly key: (input: Out) => string
}

/** @throws TypeError */
export function compileLimit<Out>(options: LimitOptions<Out> | undefined): CompiledLimit<Out> | undefined {
  if (options === undefined) return undefined
  const { key = () => '', concurrency, rate } = options
  if (concurrency === undefined && rate === undefined)
    throw new TypeError('limit takes concurrency, rate, or both')
  const positive = (value: number) => Number.isInteger(value) && value >= 1
  if (concurrency !== undefined && !(positive(concurrency) && concurrency <= 1000))
    throw new TypeError('limit.concurrency must be 1 to 1000')
  if (rate === undefined) return { key, concurrency, interval: undefined, burst: 1 }
  const per = milliseconds(rate.per)
  if (!positive(rate.count) || per < 1) throw new TypeError('limit.rate takes a count and a time above 0')
  return { key, concurrency, interval: per / rate.count, burst: rate.count }
}
