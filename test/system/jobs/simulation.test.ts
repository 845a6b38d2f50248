import { afterAll, beforeAll, expect, it } from 'vitest'
import { crashEverywhere } from '../../soak/jobs/crashes.ts'
import { SimPostgres } from '../../soak/jobs/postgres.ts'
import { simulate } from '../../soak/jobs/simulate.ts'
import { scratchDatabase } from '../support/postgres.ts'

// A sample of `npm run soak -- jobs`.
let postgres: SimPostgres

beforeAll(async () => {
  postgres = await SimPostgres.connect((await scratchDatabase()).url)
})
afterAll(() => postgres.close())

it.each([11, 12])('keeps every promise whatever goes wrong: seed %i', async (seed) => {
  const { wrong, jobs } = await simulate(postgres, seed, { requests: 25 })
  expect(wrong).toEqual([])
  expect(jobs).toBeGreaterThan(5)
})

it.each(['order', 'batch'] as const)('keeps them when an "%s" fails at any await', async (act) => {
  const { wrong, played } = await crashEverywhere(postgres, act, 7)
  expect(wrong).toEqual([])
  expect(played).toBeGreaterThan(8)
})

it('tells the same history again from the same seed', async () => {
  const plot = { requests: 8 }
  const [one, two] = [await simulate(postgres, 7, plot), await simulate(postgres, 7, plot)]
  expect(two).toEqual(one)
  expect((await simulate(postgres, 8, plot)).history).not.toBe(one.history)
})
