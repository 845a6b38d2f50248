import { CommandError, ERRORS } from './reply.ts'

export const INT64_MAX: bigint = 9223372036854775807n
export const INT64_MIN: bigint = -9223372036854775808n

/** Redis's own reading of an integer: no sign but `-`, no leading zero, no blanks, 64 bits. */
export function parseInt64(text: string): bigint | undefined {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return undefined
  const value = BigInt(text)
  return value > INT64_MAX || value < INT64_MIN ? undefined : value
}

/** An integer argument, exact. */
export function int64(text: string, error: string = ERRORS.notInteger): bigint {
  const value = parseInt64(text)
  if (value === undefined) throw new CommandError(error)
  return value
}

/** An integer argument where the nearest double will do: indexes, counts, times. */
export function integer(text: string, error?: string): number {
  return Number(int64(text, error))
}

/** An integer argument that may not be negative. */
export function positive(text: string, error: string = ERRORS.notPositive): number {
  const value = parseInt64(text)
  if (value === undefined || value < 0n) throw new CommandError(error)
  return Number(value)
}

/** `strtod` as Redis applies it: the whole text, no blanks, infinities but no NaN, no overflow. */
export function parseDouble(text: string): number | undefined {
  const infinity = /^([+-]?)inf(?:inity)?$/i.exec(text)
  if (infinity) return infinity[1] === '-' ? -Infinity : Infinity
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

/** A floating-point argument. */
export function double(text: string, error: string = ERRORS.notFloat): number {
  const value = parseDouble(text)
  if (value === undefined) throw new CommandError(error)
  return value
}

/** A score as Redis prints it: the shortest text that reads back as the same double, exponents from 1e17. */
export function formatDouble(value: number): string {
  if (value === Infinity) return 'inf'
  if (value === -Infinity) return '-inf'
  if (Object.is(value, -0)) return '-0'
  if (Number.isInteger(value) && Math.abs(value) >= 1e17) return value.toExponential()
  return String(value)
}

/** Start and end of a range given by indexes that may be negative; undefined when it is empty. */
export function resolveRange(
  start: number,
  stop: number,
  length: number,
): { from: number; to: number } | undefined {
  let from = start < 0 ? Math.max(0, start + length) : start
  const to = Math.min(stop < 0 ? stop + length : stop, length - 1)
  if (from < 0) from = 0
  return from > to || from >= length ? undefined : { from, to }
}
