import process from 'node:process'
import { parseArgs } from 'node:util'

/** A long proof. `npm test` runs a sample of each. */
export interface Soak {
  /** Resolves with what was shown; rejects with what broke it, and how to see it again. */
  run(options: { readonly count: number | undefined; readonly seed: number | undefined }): Promise<string>
}

/** `npm run soak -- NAME [--count N] [--seed N]`. */
const soaks: Readonly<Record<string, () => Promise<Soak>>> = {
  alerts: () => import('./alerts.ts'),
  'auth-timing': () => import('./auth-timing.ts'),
  fuzz: () => import('./fuzz.ts'),
  ranges: () => import('./ranges.ts'),
  jobs: () => import('./jobs.ts'),
  'db-plans': () => import('./db-plans.ts'),
  neon: () => import('./neon.ts'),
  postgres: () => import('./postgres.ts'),
  'rate-limit': () => import('./rate-limit.ts'),
}

const { values, positionals } = parseArgs({
  options: { count: { type: 'string' }, seed: { type: 'string' } },
  allowPositionals: true,
})
const [name] = positionals
const load = name !== undefined && Object.hasOwn(soaks, name) ? soaks[name] : undefined
const number = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text)
const [count, seed] = [number(values.count), number(values.seed)]
if (load === undefined || positionals.length > 1 || Number.isNaN(count) || Number.isNaN(seed)) {
  console.error(`Name one of: ${Object.keys(soaks).join(', ')}; --count and --seed take numbers`)
  process.exitCode = 2
} else {
  console.log(await (await load()).run({ count, seed }))
}
