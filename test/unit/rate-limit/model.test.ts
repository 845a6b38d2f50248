import { createLimiter, memory, type RateLimiter, type RateLimitStore, upstash } from 'breakwater/rate-limit'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EmbeddedRedis } from './embedded-redis.ts'

// A limiter as one would write it without a thought for space or round trips: lists of events, tokens as a fraction.
const EPOCH = 1_790_000_000_000
const policies = {
  narrow: {
    quota: 3,
    window: '2 s',
    algorithm: 'fixed-window',
    penalty: { after: 2, ceiling: '6 s', decay: '10 s' },
  },
  wide: { quota: 8, window: '5 s', algorithm: 'fixed-window' },
  bucket: { quota: 8, window: '2 s', algorithm: 'token-bucket', burst: 4 },
  shadow: { quota: 2, window: '2 s', algorithm: 'fixed-window', shadow: true },
} as const
type Name = keyof typeof policies
const WINDOW: Record<Name, number> = { narrow: 2000, wide: 5000, bucket: 2000, shadow: 2000 }

class Key {
  readonly name: Name
  opened = Number.NEGATIVE_INFINITY
  spent = 0
  tokens = 4
  touched = 0
  violations = 0
  strikes = 0
  until = 0
  quiet = 0

  constructor(name: Name) {
    this.name = name
  }
}

class Model {
  now = EPOCH
  readonly keys = new Map<string, Key>()

  key(name: Name, id: string): Key {
    const key = this.keys.get(name + id) ?? new Key(name)
    this.keys.set(name + id, key)
    if (name === 'bucket') {
      key.tokens = Math.min(4, key.tokens + ((this.now - key.touched) * 8) / 2000)
      key.touched = this.now
    } else if (this.now >= key.opened + WINDOW[name]) {
      key.opened = this.now
      key.spent = 0
    }
    // One doubling is forgotten for each ten seconds without a violation, counted from the end of the block.
    while ((key.strikes > 0 || key.violations > 0) && this.now >= Math.max(key.until, key.quiet) + 10_000) {
      key.quiet = Math.max(key.until, key.quiet) + 10_000
      key.strikes = Math.max(0, key.strikes - 1)
      key.violations = 0
    }
    return key
  }

  free(key: Key): number {
    if (key.name === 'bucket') return Math.floor(key.tokens)
    return policies[key.name].quota - key.spent
  }

  check(asked: readonly { name: Name; id: string; cost: number }[]): boolean {
    const all = asked.map(({ name, id, cost }) => ({ key: this.key(name, id), cost }))
    const fits = all.map(({ key, cost }) => this.now >= key.until && cost <= this.free(key))
    const allowed = all.every(({ key }, i) => fits[i] || key.name === 'shadow')
    all.forEach(({ key, cost }, i) => {
      if (fits[i]) {
        if (!allowed) return
        if (key.name === 'bucket') key.tokens -= cost
        else key.spent += cost
      } else if (key.name === 'narrow' && this.now >= key.until) {
        key.violations++
        key.quiet = this.now
        if (key.violations < 2) return
        key.violations = 0
        key.strikes++
        key.until = this.now + Math.min(6000, 2000 * 2 ** (key.strikes - 1))
      }
    })
    return allowed
  }
}

interface Real {
  readonly limiter: RateLimiter
  advance(ms: number): void
}
type Command = fc.AsyncCommand<Model, Real>

const target = fc.record({
  name: fc.constantFrom<Name>('narrow', 'narrow', 'wide', 'bucket', 'shadow'),
  id: fc.constantFrom('a', 'b'),
  cost: fc.integer({ min: 1, max: 4 }),
})
const targets = fc.uniqueArray(target, { minLength: 1, maxLength: 4, selector: ({ name, id }) => name + id })
type Target = { name: Name; id: string; cost: number }
const requests = (list: readonly Target[]) =>
  list.map(({ name, id, cost }) => ({ policy: name, key: id, cost }))
const shown = (verb: string, value: unknown) => () => `${verb} ${JSON.stringify(value)}`

const check = targets.map(
  (list): Command => ({
    check: () => true,
    async run(model, { limiter }) {
      // What the isolate knows to be blocked is refused before any policy is asked: those of the others that would
      // refuse as well are then charged no violation.
      const known = limiter.known(requests(list))
      const decision = await limiter.check(requests(list))
      if (decision.by === 'isolate') {
        expect(known.allowed).toBe(false)
        const all = list.map(({ name, id }) => model.key(name, id))
        expect(
          all.some((key) => key.name !== 'shadow' && (model.now < key.until || model.free(key) < 1)),
        ).toBe(true)
        return
      }
      expect(decision.allowed).toBe(model.check(list))
      decision.outcomes.forEach(({ remaining }, i) => {
        const { name, id } = list[i] as Target
        const key = model.key(name, id)
        expect(remaining).toBe(
          model.now < key.until && !decision.outcomes[i]?.allowed ? remaining : model.free(key),
        )
      })
    },
    toString: shown('check', list),
  }),
)
const refund = target.map(
  (one): Command => ({
    check: (model) => model.keys.has(one.name + one.id),
    async run(model, { limiter }) {
      await limiter.refund(requests([one]))
      const key = model.key(one.name, one.id)
      if (one.name === 'bucket') key.tokens = Math.min(4, key.tokens + one.cost)
      else key.spent = Math.max(0, key.spent - one.cost)
    },
    toString: shown('refund', one),
  }),
)
const reset = target.map(
  (one): Command => ({
    check: () => true,
    async run(model, { limiter }) {
      await limiter.reset(requests([one]))
      model.keys.delete(one.name + one.id)
    },
    toString: shown('reset', one),
  }),
)
const block = fc.tuple(target, fc.constantFrom(700, 9000)).map(
  ([one, ms]): Command => ({
    check: () => true,
    async run(model, { limiter }) {
      await limiter.block(requests([one]), ms)
      model.key(one.name, one.id).until = model.now + ms
    },
    toString: shown('block', [one, ms]),
  }),
)
const unblock = target.map(
  (one): Command => ({
    check: () => true,
    async run(model, { limiter }) {
      await limiter.unblock(requests([one]))
      const key = model.key(one.name, one.id)
      Object.assign(key, { until: model.now, strikes: 0, violations: 0 })
    },
    toString: shown('unblock', one),
  }),
)
const advance = fc.constantFrom(0, 1, 125, 250, 999, 2000, 2001, 6000, 11_000).map(
  (ms): Command => ({
    check: () => true,
    async run(model, real) {
      model.now += ms
      real.advance(ms)
    },
    toString: shown('advance', ms),
  }),
)

describe('any sequence of checks, refunds, resets and blocks', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
  afterEach(() => void vi.useRealTimers())

  it.each([
    ['in memory', () => memory()],
    ['in Redis', (redis: EmbeddedRedis) => upstash(redis)],
  ] as const)(
    'decides as the plain model does, %s',
    async (_, make) => {
      const commands = fc.commands(
        [check, check, check, check, refund, reset, block, unblock, advance, advance],
        {
          maxCommands: 60,
        },
      )
      await fc.assert(
        fc.asyncProperty(commands, async (list) => {
          vi.setSystemTime(EPOCH)
          const redis = new EmbeddedRedis(EPOCH)
          const store: RateLimitStore = make(redis)
          const setup = () => ({
            model: new Model(),
            real: {
              limiter: createLimiter({ store, policies }),
              advance(ms: number) {
                redis.ms += ms
                vi.setSystemTime(redis.ms)
              },
            },
          })
          await fc.asyncModelRun(setup, list)
        }),
        { numRuns: 120 },
      )
    },
    30_000,
  )
})
