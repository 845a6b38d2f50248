import { expect, it } from 'vitest'
import { askBreakwater, requirements } from '../../conformance/asvs.ts'

// The rows that say most about the whole; all of them are asked by `npm run conformance -- asvs`.
const SAMPLE = [
  '6.2.12',
  '6.3.1',
  '6.3.4',
  '6.3.8',
  '6.5.1',
  '7.2.2',
  '7.2.3',
  '7.2.4',
  '7.4.1',
  '7.4.2',
  '7.5.1',
  '9.1.1',
  '9.2.3',
  '16.2.5',
  '16.3.1',
  '16.4.2',
]

it('meets a sample of ASVS 5.0 in the reference app', async () => {
  const sample = requirements.filter(({ id }) => SAMPLE.includes(id))
  expect(sample).toHaveLength(SAMPLE.length)
  const rows = await askBreakwater(sample)
  expect(rows.filter(({ status }) => status !== 'pass')).toEqual([])
}, 120_000)
