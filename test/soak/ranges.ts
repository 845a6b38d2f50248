import { proveRanges } from '../unit/uploads/range-proof.ts'

/** Random ranges of random files, served, against a model of RFC 9110. */
export async function run({
  count = 10_000,
  seed,
}: {
  readonly count: number | undefined
  readonly seed: number | undefined
}): Promise<string> {
  await proveRanges(count, seed)
  return `${count} random ranges, 0 differences`
}
