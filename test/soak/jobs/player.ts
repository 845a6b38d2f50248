import process from 'node:process'
import './resolve.ts'
import type { ACTS } from './scenario.ts'

/** What a player is asked to play. */
export type Task =
  | { readonly crashes: (typeof ACTS)[number] }
  | { readonly seed: number; readonly requests: number; readonly trace: boolean }

/** What came of it. */
export interface Played {
  readonly jobs: number
  readonly histories: number
  readonly events: number
  readonly wrong: readonly string[]
}

const { SimPostgres } = await import('./postgres.ts')
const { simulate } = await import('./simulate.ts')
const { crashEverywhere } = await import('./crashes.ts')

// One world at a time: it takes the place of the process's clock, timers and randomness.
const postgres = await SimPostgres.connect(process.argv[2] ?? '')

async function play(task: Task): Promise<Played> {
  if ('crashes' in task) {
    const { jobs, played, wrong } = await crashEverywhere(postgres, task.crashes)
    return { jobs, histories: played, events: 0, wrong }
  }
  const { seed, requests } = task
  const trace = task.trace ? (line: string) => console.log(line) : undefined
  const { jobs, events, wrong } = await simulate(postgres, seed, { requests, trace })
  const again = `Seed ${seed} broke it (again: --seed ${seed} --count 1):`
  return { jobs, events, histories: 1, wrong: wrong.length > 0 ? [again, ...wrong] : [] }
}

process.on('message', async (task: Task) => process.send?.(await play(task)))
process.send?.('ready')
