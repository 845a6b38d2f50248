import type { SimPostgres } from './postgres.ts'
import type { ACTS } from './scenario.ts'
import { simulate } from './simulate.ts'
import type { Fate } from './world.ts'

const FATES: readonly Fate[] = ['dies before', 'refused', 'dies after', 'answer lost']

/** What came of {@link crashEverywhere}. */
export interface Crashes {
  readonly played: number
  readonly jobs: number
  /** What was wrong, and when. */
  readonly wrong: readonly string[]
}

/**
 * One thing that users do, played once for every await and every way in which it can go wrong there: the worker dies
 * before or after it, it is refused, its answer is lost. Between two awaits nothing happens that anybody could see.
 * @param every plays only each so-manieth of these histories.
 */
export async function crashEverywhere(
  postgres: SimPostgres,
  act: (typeof ACTS)[number],
  every = 1,
): Promise<Crashes> {
  // What is cancelled must be there.
  const acts = act === 'cancel' ? (['many', 'cancel'] as const) : [act]
  const { asked } = await simulate(postgres, 0, { acts, script: () => 'well' })
  const wrong: string[] = []
  let [played, jobs, count] = [0, 0, 0]
  for (let nth = 1; nth <= asked; nth++) {
    for (const fate of FATES) {
      if (count++ % every !== 0) continue
      const script = (at: number): Fate => (at === nth ? fate : 'well')
      const run = await simulate(postgres, 0, { acts, script })
      played++
      jobs += run.jobs
      if (run.wrong.length > 0)
        wrong.push(`${act}, number ${nth} of ${asked} ${fate}: ${run.wrong.join('; ')}`)
    }
  }
  return { played, jobs, wrong }
}
