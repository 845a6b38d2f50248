/** A length of time: milliseconds as a number, or a number and a unit, such as `'30 s'`, `'15m'`, `'7 d'`. */
export type Duration = number | `${number}${'' | ' '}${'ms' | 's' | 'm' | 'h' | 'd'}`

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/**
 * Milliseconds in a {@link Duration}.
 * @throws TypeError when it is not one, or is negative, or is not finite.
 */
export function milliseconds(duration: Duration): number {
  const match = typeof duration === 'string' ? /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)$/.exec(duration) : undefined
  const value =
    typeof duration === 'number'
      ? duration
      : match
        ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]
        : Number.NaN
  if (!Number.isFinite(value) || value < 0) {
    throw new TypeError(
      `"${duration}" is not a duration: write milliseconds, or a number and one of ms, s, m, h, d`,
    )
  }
  return value
}
