import { expect, it } from 'vitest'
import { scratchDatabase } from '../support/postgres.ts'
import { compareNeon } from './differential.ts'

// All of them: npm run soak -- neon
const SAMPLE = 4

it('answers through Neon’s protocols what Postgres answers itself', async () => {
  const { url, endpoint } = await scratchDatabase({ migrations: false })
  const { compared, differing } = await compareNeon({ url, endpoint, every: SAMPLE })
  expect(differing).toEqual([])
  expect(compared).toBeGreaterThan(1000 / SAMPLE)
})
