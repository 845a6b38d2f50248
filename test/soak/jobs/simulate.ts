import { judge } from './judge.ts'
import type { SimPostgres } from './postgres.ts'
import { SimQueue } from './queue.ts'
import { randomOf } from './random.ts'
import { appOf } from './scenario.ts'
import { World } from './world.ts'

/** What came of one seed. */
export interface Run {
  readonly seed: number
  readonly jobs: number
  /** A digest of the history: the same seed gives the same. */
  readonly history: number
  readonly events: number
  readonly wrong: readonly string[]
}

const START = Date.parse('2026-03-28T23:40:00Z')

/** One history: some requests in bad times, then calm until all has come to rest. */
export async function simulate(
  postgres: SimPostgres,
  seed: number,
  requests: number,
  trace?: (line: string) => void,
): Promise<Run> {
  await postgres.reset()
  const random = randomOf(seed)
  const world = new World(random, START + random.integer(3_600_000))
  world.trace = trace
  const from = world.now
  const restore = world.install()
  try {
    const queue = new SimQueue(world)
    const app = appOf(world, postgres.database(world), queue)
    let left = requests
    let nextCron = world.now
    // Enough that a job whose every attempt meets a disaster has ended, and a bound on what never does.
    let calmUntil = Number.POSITIVE_INFINITY
    for (let step = 0; step < 400_000; step++) {
      await world.rest()
      if (left > 0 && random.chance(0.06)) {
        left--
        world.spawn('request', app.request)
      }
      if (world.now >= nextCron) {
        // Sometimes twice, sometimes not at all.
        const times = world.chaos ? random.integer(3) : 1
        for (let i = 0; i < times; i++) world.spawn('cron', () => app.jobs.cron())
        nextCron = world.now + 60_000
      }
      if ((queue.next ?? Number.POSITIVE_INFINITY) <= world.now && random.chance(0.5))
        queue.deliver(app.jobs.consume)
      if (queue.dead.length > 0) {
        const messages = queue.dead
          .splice(0)
          .map((body) => ({ id: 'x', body, attempts: 1, ack() {}, retry() {} }))
        world.spawn('dead letters', () => app.jobs.consumeDead({ queue: 'dead', messages }))
      }
      if (left === 0 && world.chaos && random.chance(0.01)) {
        world.chaos = false
        calmUntil = world.now + 4 * 3_600_000
      }
      if (!world.chaos && step % 64 === 0) {
        const rest = await postgres.ask(
          `select from breakwater.jobs where state in ('pending', 'running') limit 1`,
        )
        if ((rest.length === 0 && world.idle) || world.now > calmUntil) break
      }
      await world.step(Math.min(nextCron, queue.next ?? nextCron))
    }
    const [counted] = await postgres.ask<{ n: number }>('select count(*)::int as n from breakwater.jobs')
    return {
      seed,
      jobs: counted?.n ?? 0,
      history: world.history,
      events: world.events,
      wrong: await judge(postgres, app.book, from, world.now),
    }
  } finally {
    restore()
  }
}
