import { cpuSeconds } from './cpu.ts'
import { load } from './load.ts'
import { median, spread } from './statistics.ts'

/** One thing under load. */
export interface Subject {
  readonly name: string
  readonly url: string
  /** Header fields; called before each round, so that cookies are fresh. */
  readonly headers?: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>
}

/** Requests per second over all rounds. */
export interface Measured {
  readonly median: number
  /** See `spread` in statistics.ts. */
  readonly spread: number
  /** Round by round. */
  readonly rates: readonly number[]
  /** Microseconds of CPU that the server spent on one request, HTTP included; the median. */
  readonly cpu: number
}

/** How long, how often and how hard. */
export interface RoundOptions {
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
  /** The server's process, to read its CPU time. */
  readonly pid?: number
}

/**
 * Loads each subject in turn, round after round, so that whatever the machine does meanwhile meets all alike.
 * A first round warms up and is not counted. Refuses to measure replies that are not 2xx.
 */
export async function interleave(
  subjects: readonly Subject[],
  options: RoundOptions,
  say: (line: string) => void = () => {},
): Promise<ReadonlyMap<string, Measured>> {
  const rates = new Map<string, number[]>(subjects.map(({ name }) => [name, []]))
  const cpu = new Map<string, number[]>(subjects.map(({ name }) => [name, []]))
  for (let round = 0; round <= options.rounds; round++) {
    for (const { name, url, headers } of subjects) {
      const given = (await headers?.()) ?? {}
      const before = cpuSeconds(options.pid ?? 0)
      const result = await load({
        url,
        connections: options.connections,
        seconds: round === 0 ? 1 : options.seconds,
        headers: given,
      })
      const spent = cpuSeconds(options.pid ?? 0) - before
      if (result.failures > 0) throw new Error(`${name}: ${result.failures} requests failed under load`)
      if (round === 0) continue
      rates.get(name)?.push(result.requestsPerSecond)
      cpu.get(name)?.push((spent / result.requests) * 1e6)
    }
    say(round === 0 ? 'warm' : `round ${round} of ${options.rounds}`)
  }
  return new Map(
    [...rates].map(([name, values]) => [
      name,
      { median: median(values), spread: spread(values), rates: values, cpu: median(cpu.get(name) ?? []) },
    ]),
  )
}

/**
 * How many times as fast the first is as the second: the median of the ratios within each round, in which the machine
 * was the same for both.
 */
export function ratio(one: Measured | undefined, other: Measured | undefined): number {
  return median((one?.rates ?? []).map((rate, i) => rate / (other?.rates[i] ?? Number.NaN)))
}
