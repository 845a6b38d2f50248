import { afterAll, beforeAll, expect, it } from 'vitest'
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
  const { wrong, jobs } = await simulate(postgres, seed, 12)
  expect(wrong).toEqual([])
  expect(jobs).toBeGreaterThan(5)
})

it('tells the same history again from the same seed', async () => {
  const [one, two] = [await simulate(postgres, 7, 4), await simulate(postgres, 7, 4)]
  expect(two).toEqual(one)
  expect((await simulate(postgres, 8, 4)).history).not.toBe(one.history)
})
