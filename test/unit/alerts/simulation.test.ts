import { expect, it } from 'vitest'
import { detectionSeconds, normalDays } from './simulation.ts'

// `npm run soak -- alerts` lives through thirty days of several kinds of sites; this is a sample.
it.each([
  ['a small site', 6],
  ['a middling one', 200],
  ['a busy one', 6000],
])('nobody is woken in two normal days of %s', async (_name, noon) => {
  expect(await normalDays(2, { noon }, 7)).toEqual([])
})

it('somebody is told within 75 seconds, whenever in a minute it begins to fail', async () => {
  const seconds: number[] = []
  for (let offset = 0; offset < 60; offset += 4) seconds.push(await detectionSeconds(offset, 1))
  expect(Math.max(...seconds)).toBeLessThanOrEqual(75)
  expect(Math.min(...seconds)).toBeGreaterThanOrEqual(0)
})
