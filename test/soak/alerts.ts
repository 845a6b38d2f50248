import { detectionSeconds, normalDays } from '../unit/alerts/simulation.ts'

const DAYS = 30
const SITES = [2, 20, 200, 2000, 20_000]

/**
 * Thirty simulated days of normal noise on sites of several sizes: nobody may be told anything. Then errors that begin in
 * every second of a minute: somebody must be told within 75 seconds. `--count` days, `--seed`.
 */
export async function run(options: {
  readonly count: number | undefined
  readonly seed: number | undefined
}): Promise<string> {
  const { count: days = DAYS, seed = 1 } = options
  let looks = 0
  for (const noon of SITES) {
    const told = await normalDays(days, { noon }, seed + noon)
    looks += days * 1440
    if (told.length > 0) {
      throw new Error(
        `${noon} requests a minute, seed ${seed}: ${told.length} false alarms, first ${JSON.stringify(told[0])}`,
      )
    }
  }
  let slowest = 0
  for (let offset = 0; offset < 60; offset++)
    slowest = Math.max(slowest, await detectionSeconds(offset, seed))
  if (slowest > 75) throw new Error(`A spike was told of after ${slowest} s (seed ${seed})`)
  return `alerts: ${looks} looks over ${days} days of ${SITES.length} sites, 0 false alarms; a spike is told of after ${slowest} s at most`
}
