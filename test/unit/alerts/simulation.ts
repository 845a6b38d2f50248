import { emptyTally, type Tallies } from '../../../src/alerts/counts.ts'
import { classOf } from '../../../src/alerts/histogram.ts'
import { createAlerts, memoryStore, type Notice } from '../../../src/alerts/index.ts'

/** A small generator of random numbers with a seed (mulberry32), so that a run can be seen again. */
function randomFrom(seed: number): () => number {
  let a = seed >>> 0
  return () => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = a
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/** How many arrive when so many are expected. */
function poisson(expected: number, random: () => number): number {
  if (expected > 60) {
    const gauss = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    return Math.max(0, Math.round(expected + Math.sqrt(expected) * gauss))
  }
  const limit = Math.exp(-expected)
  let n = 0
  for (let p = random(); p > limit; p *= random()) n++
  return n
}

/** Routes as a product has them: many requests to few, some that fail more often, one that is slow. */
const ROUTES = [
  { name: 'GET /me', share: 0.5, failing: 0.001, ms: 12 },
  { name: 'GET /items', share: 0.25, failing: 0.003, ms: 45 },
  { name: 'POST /items', share: 0.15, failing: 0.006, ms: 90 },
  { name: 'POST /uploads', share: 0.07, failing: 0.012, ms: 700 },
  { name: 'GET /reports', share: 0.03, failing: 0.02, ms: 1100 },
] as const

/** One kind of site. */
export interface Site {
  /** Requests a minute at noon. */
  readonly noon: number
}

/** A minute of normal life: day and night, weekends, rates that drift, errors that come in clumps. */
class Life {
  readonly #random: () => number
  readonly #site: Site
  #drift = 0

  constructor(site: Site, random: () => number) {
    this.#random = random
    this.#site = site
  }

  minute(minute: number): Tallies {
    const random = this.#random
    const day = 0.55 - 0.45 * Math.cos((2 * Math.PI * (minute % 1440)) / 1440)
    const week = Math.floor(minute / 1440) % 7 >= 5 ? 0.5 : 1
    // Wanders between half and twice of what is usual, over hours.
    this.#drift = this.#drift * 0.998 + (random() - 0.5) * 0.07
    const mood = Math.min(2, Math.max(0.5, Math.exp(this.#drift)))
    const tallies: Tallies = new Map()
    for (const { name, share, failing, ms } of ROUTES) {
      const requests = poisson(this.#site.noon * day * week * share, random)
      if (requests === 0) continue
      const tally = emptyTally()
      tally.requests = requests
      const clumps = poisson((requests * failing * mood) / 1.5, random)
      let errors = 0
      // One cause fails a page's two or three requests together.
      for (let i = 0; i < clumps; i++) errors += 1 + (random() < 0.4 ? 1 : 0) + (random() < 0.1 ? 1 : 0)
      tally.errors = Math.min(errors, requests)
      for (let i = 0; i < Math.min(requests, 60); i++) {
        const place = classOf(ms * Math.exp((random() + random() + random() - 1.5) * 1.4))
        tally.durations[place] = (tally.durations[place] ?? 0) + requests / Math.min(requests, 60)
      }
      tallies.set(name, tally)
    }
    return tallies
  }
}

/** Lives through so many days and returns what people were told. */
export async function normalDays(days: number, site: Site, seed: number): Promise<Notice[]> {
  const life = new Life(site, randomFrom(seed))
  const store = memoryStore()
  const told: Notice[] = []
  let now = 0
  const alerts = createAlerts({
    store,
    channels: [{ name: 'test', send: async (notice) => void told.push(notice) }],
    deadLetters: async () => 0,
    lastBackup: async () => new Date(now - (now % 86_400_000)),
    now: () => now,
    sleep: async () => {},
  })
  const begin = 20_000 * 1440
  for (let minute = begin; minute < begin + days * 1440; minute++) {
    await store.add(new Map([[minute, life.minute(minute)]]))
    now = (minute + 1) * 60_000 + 800
    await alerts.look()
  }
  return told
}

/** A virtual clock: time passes when told to, and wakes whoever sleeps. */
class Clock {
  now: number
  readonly #sleepers: { at: number; wake: () => void }[] = []

  constructor(now: number) {
    this.now = now
  }

  readonly sleep = (ms: number): Promise<void> =>
    new Promise((wake) => this.#sleepers.push({ at: this.now + ms, wake }))

  async to(time: number): Promise<void> {
    this.now = time
    for (let i = this.#sleepers.length - 1; i >= 0; i--) {
      const sleeper = this.#sleepers[i]
      if (sleeper === undefined || sleeper.at > time) continue
      this.#sleepers.splice(i, 1)
      sleeper.wake()
    }
    // Whoever woke has something to do.
    for (let i = 0; i < 12; i++) await undefined
  }
}

/**
 * Steady traffic over several isolates, each flushing as it does in a Worker, a cron a minute, and from some second on
 * errors. Returns the seconds from the first failing request until a person was told.
 *
 * @param offset the second of the minute at which it begins, 0 to 59.
 */
export async function detectionSeconds(
  offset: number,
  seed: number,
  site: { readonly perSecond: number; readonly failing: number } = { perSecond: 10, failing: 0.5 },
): Promise<number> {
  const random = randomFrom(seed + offset)
  const begin = 20_000 * 1440
  const clock = new Clock(begin * 60_000)
  const store = memoryStore()
  let toldAt: number | undefined
  const isolates = Array.from({ length: 5 }, () =>
    createAlerts({
      store,
      channels: [
        {
          name: 'test',
          send: async ({ status }) => {
            if (status === 'firing') toldAt ??= clock.now
          },
        },
      ],
      now: () => clock.now,
      sleep: clock.sleep,
    }),
  )
  // An hour of peace, by the minute.
  for (let minute = begin; minute < begin + 60; minute++) {
    const tally = emptyTally()
    tally.requests = poisson(site.perSecond * 60, random)
    tally.errors = poisson(tally.requests * 0.003, random)
    await store.add(new Map([[minute, new Map([['GET /me', tally]])]]))
    await clock.to((minute + 1) * 60_000 + 500)
    await isolates[0]?.look()
  }
  const start = (begin + 62) * 60_000 + offset * 1000
  for (
    let time = (begin + 60) * 60_000 + 1000;
    toldAt === undefined && time < start + 600_000;
    time += 1000
  ) {
    await clock.to(time)
    for (let i = poisson(site.perSecond, random); i > 0; i--) {
      const isolate = isolates[Math.floor(random() * isolates.length)]
      isolate?.count('GET /me', random() < (time >= start ? site.failing : 0.003), 12, () => {})
    }
    // The platform starts a cron in the first second or so of its minute.
    if (time % 60_000 === 1000) await isolates[0]?.look()
  }
  return toldAt === undefined ? Number.POSITIVE_INFINITY : (toldAt - start) / 1000
}
