import { load } from './load.ts'
import { median, spread } from './statistics.ts'

/** One thing under load. */
export interface Subject {
  readonly name: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Requests per second over all rounds. */
export interface Measured {
  readonly median: number
  readonly spread: number
}

/**
 * Loads each subject in turn, round after round, so that whatever the machine does meanwhile meets all alike.
 * A first round warms up and is not counted. Refuses to measure replies that are not 2xx.
 */
export async function interleave(
  subjects: readonly Subject[],
  options: { readonly rounds: number; readonly seconds: number; readonly connections: number },
  progress: (line: string) => void = () => {},
): Promise<ReadonlyMap<string, Measured>> {
  const rates = new Map<string, number[]>(subjects.map(({ name }) => [name, []]))
  for (let round = 0; round <= options.rounds; round++) {
    for (const { name, url, headers } of subjects) {
      const result = await load({
        url,
        connections: options.connections,
        seconds: round === 0 ? 1 : options.seconds,
        ...(headers && { headers }),
      })
      if (result.failures > 0) throw new Error(`${name}: ${result.failures} requests failed under load`)
      if (round > 0) rates.get(name)?.push(result.requestsPerSecond)
    }
    progress(round === 0 ? 'warm' : `round ${round} of ${options.rounds}`)
  }
  return new Map(
    [...rates].map(([name, values]) => [name, { median: median(values), spread: spread(values) }]),
  )
}
