import { describe, expect, it } from 'vitest'
import { cronMatches } from '../../../src/local/dev/cron.ts'

describe("Cloudflare's cron expressions", () => {
  // A Sunday.
  const at = (text: string): Date => new Date(`2026-11-22T${text}:00Z`)

  it.each([
    ['* * * * *', '10:31', true],
    ['17 3 * * *', '03:17', true],
    ['17 3 * * *', '03:18', false],
    ['*/15 * * * *', '10:45', true],
    ['*/15 * * * *', '10:46', false],
    ['5/20 * * * *', '10:25', true],
    ['5/20 * * * *', '10:20', false],
    ['0 9-17/4 * * *', '13:00', true],
    ['0 9-17/4 * * *', '14:00', false],
    ['0,30 * * * *', '10:30', true],
    ['0 0 * * 1', '00:00', true],
    ['0 0 * * SUN', '00:00', true],
    ['0 0 * * mon-fri', '00:00', false],
    ['0 0 22 * *', '00:00', true],
    ['0 0 22 nov *', '00:00', true],
    ['0 0 22 DEC *', '00:00', false],
    ['0 0 1 * SUN', '00:00', true],
    ['0 0 1 * MON', '00:00', false],
  ])('%s at %s: %s', (expression, time, matches) => {
    expect(cronMatches(expression, at(time))).toBe(matches)
  })

  it.each(['', '* * * *', '60 * * * *', '* * * * 8', '* * L * *', '*-5 * * * *', '*/0 * * * *', 'a b c d e'])(
    'leaves %j to production',
    (expression) => {
      expect(cronMatches(expression, at('00:00'))).toBeUndefined()
    },
  )
})
