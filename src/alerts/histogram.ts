/** Upper ends of the classes that durations are counted in, in milliseconds; what is longer goes into one more. */
export const BOUNDS: readonly number[] = [5, 10, 25, 50, 100, 200, 400, 800, 1500, 3000, 6000, 12_000]

/** Which class a duration belongs to. */
export function classOf(ms: number): number {
  let i = 0
  while (i < BOUNDS.length && ms > (BOUNDS[i] as number)) i++
  return i
}

/**
 * A quantile of counted durations: the upper end of the class it lies in, so never too small.
 * @param counts by class; missing ones are 0.
 */
export function quantile(counts: readonly (number | undefined)[], q: number): number {
  const total = counts.reduce<number>((sum, n) => sum + (n ?? 0), 0)
  if (total === 0) return 0
  let seen = 0
  for (let i = 0; i <= BOUNDS.length; i++) {
    seen += counts[i] ?? 0
    if (seen >= total * q) return BOUNDS[i] ?? Number.POSITIVE_INFINITY
  }
  return Number.POSITIVE_INFINITY
}
