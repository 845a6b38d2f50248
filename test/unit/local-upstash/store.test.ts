import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommandError } from '../../../src/local/upstash/reply.ts'
import { Store } from '../../../src/local/upstash/store.ts'

function store(start = 1_800_000_000_000) {
  let now = start
  const target = new Store(() => now)
  return {
    run: (...words: string[]) => {
      const reply = target.run(words)
      return reply instanceof CommandError ? reply.message : reply
    },
    pass: (milliseconds: number) => {
      now += milliseconds
    },
    target,
  }
}

describe('expiry', () => {
  test('a key is gone at the millisecond it was to die, and not before', () => {
    const { run, pass } = store()
    run('SET', 'k', 'v', 'PX', '100')
    pass(99)
    expect(run('GET', 'k')).toBe('v')
    pass(1)
    expect(run('GET', 'k')).toBe(null)
    expect(run('TTL', 'k')).toBe(-2)
  })

  test('a key that died is no key to a command that makes one', () => {
    const { run, pass } = store()
    run('SADD', 'k', 'a')
    run('PEXPIRE', 'k', '10')
    pass(10)
    expect(run('HSET', 'k', 'f', 'v')).toBe(1)
    expect(run('TTL', 'k')).toBe(-1)
  })

  test('a counter keeps its window while it is counted up', () => {
    const { run, pass } = store()
    run('INCR', 'n')
    run('PEXPIRE', 'n', '1000')
    pass(400)
    run('INCR', 'n')
    expect(run('PTTL', 'n')).toBe(600)
  })

  test('sweeping deletes what nobody asks for any more', () => {
    const { run, pass, target } = store()
    for (let i = 0; i < 50; i++) run('SET', `k${i}`, 'v', 'PX', String(i + 1))
    pass(25)
    target.sweep()
    expect(target.keys.size).toBe(25)
  })

  test('time stands still within one script', () => {
    let now = 1000
    const target = new Store(() => now++)
    target.run(['SET', 'k', 'v'])
    expect(
      target.run([
        'EVAL',
        'redis.call("PEXPIRE", "k", 5) local a = redis.call("PTTL", "k") for i = 1, 100 do redis.call("PING") end return a - redis.call("PTTL", "k")',
        '0',
      ]),
    ).toBe(0)
  })
})

describe('SCAN', () => {
  test('returns every key that was there throughout, whatever comes and goes in between', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 15 }),
        fc.array(fc.tuple(fc.nat(150), fc.boolean()), { maxLength: 200 }),
        (size, count, changes) => {
          const { run } = store()
          const stays = new Set<string>()
          for (let i = 0; i < size; i++) {
            run('SET', `k${i}`, 'v')
            stays.add(`k${i}`)
          }
          const found = new Set<string>()
          let cursor = '0'
          let step = 0
          do {
            const [next, page] = run('SCAN', cursor, 'COUNT', String(count)) as [string, string[]]
            for (const key of page) found.add(key)
            cursor = next
            const change = changes[step++]
            if (change) {
              const [index, makes] = change
              run(makes ? 'SET' : 'DEL', `k${index}`, ...(makes ? ['v'] : []))
              if (!makes) stays.delete(`k${index}`)
            }
          } while (cursor !== '0')
          for (const key of stays) expect(found).toContain(key)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('goes on from a cursor it has forgotten', () => {
    const { run } = store()
    for (let i = 0; i < 100; i++) run('SET', `k${i}`, 'v')
    const [cursor, first] = run('SCAN', '0', 'COUNT', '40') as [string, string[]]
    // Many other scans push this one's place out.
    for (let i = 0; i < 50; i++) run('SCAN', '0', 'COUNT', String(i + 1))
    const [end, rest] = run('SCAN', cursor, 'COUNT', '1000') as [string, string[]]
    expect(end).toBe('0')
    expect(new Set([...first, ...rest]).size).toBe(100)
  })

  test('deleting as one scans empties the store', () => {
    const { run } = store()
    for (let i = 0; i < 500; i++) run('SET', `user:${i}`, 'v')
    run('SET', 'other', 'v')
    run(
      'EVAL',
      'local c = "0" repeat local r = redis.call("SCAN", c, "MATCH", "user:*") c = r[1] for i = 1, #r[2] do redis.call("DEL", r[2][i]) end until c == "0"',
      '0',
    )
    expect(run('DBSIZE')).toBe(1)
  })
})

test('a sorted set is always in order, and its ranks are its positions', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
          fc.integer({ min: -5, max: 5 }),
          fc.boolean(),
        ),
      ),
      (steps) => {
        const { run } = store()
        const model = new Map<string, number>()
        for (const [member, score, removes] of steps) {
          if (removes) {
            run('ZREM', 'z', member)
            model.delete(member)
          } else {
            run('ZADD', 'z', String(score), member)
            model.set(member, score)
          }
        }
        const expected = [...model]
          .sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1))
          .map(([member]) => member)
        expect(run('ZRANGE', 'z', '0', '-1')).toEqual(expected)
        expect(expected.map((member) => run('ZRANK', 'z', member))).toEqual(expected.map((_, i) => i))
        expect(run('EXISTS', 'z')).toBe(model.size > 0 ? 1 : 0)
      },
    ),
  )
})

test('a transaction with an unknown command changes nothing', () => {
  const { run, target } = store()
  expect(target.runAll([['SET', 'k', 'v'], ['NOPE']])).toBeInstanceOf(CommandError)
  expect(run('EXISTS', 'k')).toBe(0)
})

test('names from JavaScript are no commands', () => {
  const { run } = store()
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    expect(run(name)).toMatch(/^ERR unknown command/)
    expect(run('EVAL', `return redis.pcall("${name}").err`, '0')).toBe(
      'ERR Unknown Redis command called from script',
    )
  }
  run('HSET', 'h', '__proto__', 'v', 'constructor', 'w')
  expect(run('HGETALL', 'h')).toEqual(['__proto__', 'v', 'constructor', 'w'])
})

test('a script that returns a table within itself is an error', () => {
  const { run } = store()
  expect(run('EVAL', 'local t = {} t[1] = t t[2] = t return t', '0')).toMatch(/^ERR /)
  expect(run('EVAL', `return cjson.decode(("["):rep(100000))`, '0')).toMatch(/^ERR /)
  expect(run('EVAL', `return 1${' + 1'.repeat(20_000)}`, '0')).toMatch(/^ERR |^20001$/)
})
