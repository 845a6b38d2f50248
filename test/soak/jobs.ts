import { mkdtempSync, rmSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { migrate, startPostgres } from '../../src/local/postgres/index.ts'
import type { Soak } from './main.ts'

registerHooks({
  resolve(specifier, context, next) {
    const [whole, path] = /^breakwater\/([a-z-]+)$/.exec(specifier) ?? []
    return whole === undefined
      ? next(specifier, context)
      : next(import.meta.resolve(`../../src/${path}/index.ts`), context)
  },
})

/** How many requests one seed makes: about a hundred jobs. */
const REQUESTS = 75

/**
 * Jobs under every disaster at once: `--count` jobs over as many seeds as that takes, from `--seed` on.
 * A failure names its seed; `--seed N --count 1` plays that history again, and shows it event by event with
 * `TRACE=1`.
 */
export const run: Soak['run'] = async ({ count = 100_000, seed: first = 1 }) => {
  const { SimPostgres } = await import('./jobs/postgres.ts')
  const { simulate } = await import('./jobs/simulate.ts')
  const root = mkdtempSync(join(tmpdir(), 'breakwater-soak-'))
  const server = await startPostgres({ dataDir: root, durable: false })
  try {
    await migrate({ url: server.url, folder: join(import.meta.dirname, '../../drizzle') })
    const postgres = await SimPostgres.connect(server.url)
    const began = performance.now()
    let [jobs, seeds, events] = [0, 0, 0]
    try {
      for (let seed = first; jobs < count; seed++) {
        const trace = process.env['TRACE'] ? (line: string) => console.log(line) : undefined
        const result = await simulate(postgres, seed, REQUESTS, trace)
        jobs += result.jobs
        events += result.events
        seeds++
        if (result.wrong.length > 0)
          throw new Error(
            `Seed ${seed} broke it (again: --seed ${seed} --count 1):\n  ${result.wrong.join('\n  ')}`,
          )
        if (seeds % 5 === 0)
          console.error(`${seeds} seeds, ${jobs} jobs, ${Math.round((performance.now() - began) / 1000)} s`)
      }
    } finally {
      await postgres.close()
    }
    return `${jobs} jobs over ${seeds} seeds (${first} to ${first + seeds - 1}), ${events} events: each effect once, every job ended, keys, schedules and fences held`
  } finally {
    await server.stop()
    rmSync(root, { recursive: true, force: true })
  }
}
