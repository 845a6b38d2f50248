import { judge } from './judge.ts'
import type { SimPostgres } from './postgres.ts'
import { SimQueue } from './queue.ts'
import { randomOf } from './random.ts'
import { type ACTS, type App, appOf, newBook } from './scenario.ts'
import { type Fate, World } from './world.ts'

/** What came of one seed. */
export interface Run {
  readonly seed: number
  readonly jobs: number
  /** A digest of the history: the same seed gives the same. */
  readonly history: number
  readonly events: number
  /** How many things were asked of the outside. */
  readonly asked: number
  readonly wrong: readonly string[]
}

/** What a history is made of. */
export interface Plot {
  /** How many requests chance makes. Default: those of `acts`, and nothing goes wrong by chance. */
  readonly requests?: number
  readonly acts?: readonly (typeof ACTS)[number][]
  /** Decides what goes wrong, instead of chance. */
  readonly script?: (nth: number) => Fate
  readonly trace?: ((line: string) => void) | undefined
}

const START = Date.parse('2026-03-28T23:40:00Z')
const MINUTE = 60_000

/** One history: some requests in bad times, then calm until all has come to rest. */
export async function simulate(postgres: SimPostgres, seed: number, plot: Plot): Promise<Run> {
  const { requests = 0, acts = [], script, trace } = plot
  await postgres.reset()
  const random = randomOf(seed)
  const world = new World(random, START + random.integer(60 * MINUTE))
  world.trace = trace
  world.script = script
  world.chaos = requests > 0
  const from = world.now
  const restore = world.install()
  try {
    const queue = new SimQueue(world)
    const db = postgres.database(world)
    const book = newBook()
    const [old, fresh] = [appOf(world, db, queue, book, 1), appOf(world, db, queue, book, 2)]
    // A deployment in the middle: for a while, both releases are up.
    const deployAt = random.integer(requests + 1)
    let left = requests
    const app = (): App => {
      if (left > deployAt || requests === 0) return old
      return left > deployAt - 15 && world.chaos && random.chance(0.5) ? old : fresh
    }
    for (const act of acts) world.spawn(act, () => app().request(act))
    let nextCron = world.now
    // Enough that a job whose every attempt meets a disaster has ended, and a bound on what never does.
    let calmUntil = world.chaos ? Number.POSITIVE_INFINITY : world.now + 240 * MINUTE
    for (let step = 0; step < 400_000; step++) {
      await world.rest()
      if (left > 0 && random.chance(0.06)) {
        left--
        world.spawn('request', () => app().request())
      }
      if (world.now >= nextCron) {
        // Sometimes twice, sometimes not at all.
        const times = world.chaos ? random.integer(3) : 1
        for (let i = 0; i < times; i++) world.spawn('cron', () => app().jobs.cron())
        nextCron = world.now + MINUTE
        if (world.chaos && random.chance(0.04))
          world.downUntil[random.pick(['postgres', 'queue', 'provider'] as const)] =
            world.now + random.integer(6 * MINUTE)
      }
      if ((queue.next ?? Number.POSITIVE_INFINITY) <= world.now && random.chance(0.5))
        queue.deliver((batch) => app().jobs.consume(batch))
      if (queue.dead.length > 0) {
        const messages = queue.dead
          .splice(0)
          .map((body) => ({ id: 'x', body, attempts: 1, ack() {}, retry() {} }))
        world.spawn('dead letters', () => app().jobs.consumeDead({ queue: 'dead', messages }))
      }
      if (left === 0 && world.chaos && random.chance(0.01)) {
        world.chaos = false
        calmUntil = world.now + 240 * MINUTE
      }
      if (!world.chaos && world.now > from && world.idle) {
        const open = await postgres.ask(
          `select from breakwater.jobs where state in ('pending', 'running') limit 1`,
        )
        if (open.length === 0) break
      }
      if (world.now > calmUntil) break
      await world.step(Math.min(nextCron, queue.next ?? nextCron))
    }
    const [counted] = await postgres.ask<{ n: number }>('select count(*)::int as n from breakwater.jobs')
    return {
      seed,
      jobs: counted?.n ?? 0,
      history: world.history,
      events: world.events,
      asked: world.asked,
      wrong: await judge(postgres, book, from, world.now),
    }
  } finally {
    restore()
  }
}
