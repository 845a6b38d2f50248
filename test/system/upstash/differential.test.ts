import { afterAll, beforeAll, expect, test } from 'vitest'
import { compare, type RealRedis, startRedis } from './differential.ts'

let redis: RealRedis | undefined

beforeAll(async () => {
  redis = await startRedis()
})

afterAll(async () => {
  await redis?.stop()
})

test('the embedded store answers every command and script as a real Redis does', async (context) => {
  if (!redis) {
    context.skip('redis-server is not on PATH: nothing to compare with')
    return
  }
  const { compared, differing } = await compare(redis.url, { seed: 20261122, random: 4000 })
  expect(differing).toEqual([])
  expect(compared).toBeGreaterThan(5000)
})
