import { createLimiter, memory, rateLimitFields } from 'breakwater/rate-limit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { run } from '../../conformance/ratelimit.ts'
import { parseList } from '../../conformance/structured-fields.ts'

describe('the structured-field parser that judges', () => {
  it.each(['"a";q=1;w=60, "b"', '"a\\"b"', 'tok;x;y=?0', '  "a" \t,\t"b"', '1.5', ':YQ==:'])(
    'reads %j',
    (text) => {
      expect(parseList(text).length).toBeGreaterThan(0)
    },
  )

  it.each([
    '"a',
    '"a";',
    '"a";Q=1',
    '"a",',
    '"a" "b"',
    '"é"',
    '"a";q=1.',
    '"a";q=1.2345',
    '"a";q=1234567890123456',
    '"\\x"',
    ',"a"',
  ])('refuses %j', (text) => {
    expect(() => parseList(text)).toThrow(SyntaxError)
  })
})

describe('the RateLimit fields', () => {
  it('meet every requirement of the draft', async () => {
    expect((await run()).rows.filter(({ status }) => status !== 'pass')).toEqual([])
  })

  it('parse whatever the policies are called and whatever was decided', async () => {
    const name = fc.stringMatching(/^[\w.-]{1,64}$/)
    const policy = fc.record({
      quota: fc.integer({ min: 1, max: 250 }),
      window: fc.integer({ min: 1000, max: 86_400_000 }),
      algorithm: fc.constantFrom('fixed-window', 'sliding-window', 'token-bucket', 'concurrency'),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, policy, { minKeys: 1, maxKeys: 4 }),
        fc.nat({ max: 5 }),
        async (all, times) => {
          const policies = all as Parameters<typeof createLimiter>[0]['policies']
          const limiter = createLimiter({ store: memory(), ...(policies && { policies }) })
          const requests = Object.keys(all).map((policy) => ({ policy, key: 'k' }))
          let decision = await limiter.check(requests)
          for (let i = 0; i < times; i++) decision = await limiter.check(requests)
          const fields = rateLimitFields([decision])
          const names = parseList(fields['RateLimit-Policy'] ?? '').map(({ item }) => item.value)
          expect(names).toEqual(decision.outcomes.map(({ policy }) => policy.name))
          for (const { item, parameters } of parseList(fields['RateLimit'] ?? '')) {
            expect(names).toContain(item.value)
            expect(parameters.get('r')).toMatchObject({ kind: 'integer' })
          }
        },
      ),
      { numRuns: 100 },
    )
  })
})
