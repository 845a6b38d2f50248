import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import pg from 'pg'
import { migrate, startPostgres } from '../../src/local/postgres/index.ts'
import './jobs/resolve.ts'
import type { Played, Task } from './jobs/player.ts'
import type { Soak } from './main.ts'

/** How many requests one seed makes: about a hundred jobs. */
const REQUESTS = 75

/** How many seeds there are at least, where nobody says how many jobs. */
const SEEDS = 1000

/**
 * Jobs under every disaster at once. First each thing that users do is played with one fault at each await; then come
 * `--count` jobs over as many seeds as that takes, from `--seed` on, in several worlds side by side. A failure names
 * its seed; `--seed N --count 1` plays that history again, and shows it event by event with `TRACE=1`.
 */
export const run: Soak['run'] = async ({ count = 100_000, seed: first = 1 }) => {
  const { ACTS } = await import('./jobs/scenario.ts')
  const root = mkdtempSync(join(tmpdir(), 'breakwater-soak-'))
  // The plans of statements must not change with what was there before.
  const settings = { autovacuum: 'off', jit: 'off', deadlock_timeout: '1ms' }
  const server = await startPostgres({ dataDir: root, durable: false, settings })
  const players: ChildProcess[] = []
  const least = count >= 100_000 ? SEEDS : 1
  const total = { jobs: 0, seeds: 0, events: 0, crashes: 0 }
  const wrong: string[] = []
  const began = performance.now()
  const acts = count >= 1000 ? [...ACTS] : []
  let next = first

  /** What is to be played next, until there is enough. */
  function task(): Task | undefined {
    const act = acts.shift()
    if (act !== undefined) return { crashes: act }
    if (wrong.length > 0 || (total.jobs >= count && next - first >= least)) return undefined
    if (count < 200 && next > first) return undefined
    return { seed: next++, requests: REQUESTS, trace: process.env['TRACE'] !== undefined }
  }

  function heard(asked: Task, { jobs, events, histories, wrong: found }: Played): void {
    wrong.push(...found)
    if ('crashes' in asked) {
      total.crashes += histories
      console.error(`${asked.crashes}: one fault at each await, ${histories} histories`)
      return
    }
    total.jobs += jobs
    total.events += events
    total.seeds++
    if (total.seeds % 25 === 0)
      console.error(
        `${total.seeds} seeds (to ${next - 1}), ${total.jobs} jobs, ${Math.round((performance.now() - began) / 1000)} s`,
      )
  }

  /** One world, on a database of its own. */
  function play(url: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const player = fork(join(import.meta.dirname, 'jobs/player.ts'), [url])
      players.push(player)
      let asked: Task | undefined
      player.on('message', (message: Played | 'ready') => {
        if (asked !== undefined && message !== 'ready') heard(asked, message)
        asked = task()
        if (asked === undefined) resolve()
        else player.send(asked)
      })
      player.on('exit', (code) =>
        reject(new Error(`A player ended with ${code} in ${JSON.stringify(asked)}`)),
      )
    })
  }

  try {
    await migrate({ url: server.url, folder: join(import.meta.dirname, '../../drizzle') })
    const control = new pg.Client({ connectionString: server.url.replace(/[^/]+$/, 'postgres') })
    await control.connect()
    const urls: string[] = []
    for (let i = 0; i < (count < 200 ? 1 : availableParallelism()); i++) {
      await control.query(`create database world_${i} template breakwater`)
      urls.push(server.url.replace(/[^/]+$/, `world_${i}`))
    }
    await control.end()
    await Promise.all(urls.map(play))
    if (wrong.length > 0) throw new Error(wrong.join('\n  '))
    const crashes = total.crashes > 0 ? `${total.crashes} histories with one fault at each await; ` : ''
    return `${crashes}${total.jobs} jobs over ${total.seeds} seeds (${first} to ${next - 1}), ${total.events} events: each effect once, every job ended, keys, schedules and fences held`
  } finally {
    for (const player of players) {
      player.removeAllListeners('exit')
      player.kill()
    }
    await server.stop()
    rmSync(root, { recursive: true, force: true })
  }
}
