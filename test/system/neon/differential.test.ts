import { expect, it } from 'vitest'
import { scratchDatabase } from '../support/postgres.ts'
import { compareNeon } from './differential.ts'

it('answers through Neon’s protocols what Postgres answers itself', async () => {
  const { url, endpoint } = await scratchDatabase({ migrations: false })
  const { compared, differing } = await compareNeon({ url, endpoint })
  expect(differing).toEqual([])
  expect(compared).toBeGreaterThan(1000)
})
