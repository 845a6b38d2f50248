import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextTick, offsetAt, parseCron } from '../../../src/jobs/cron.ts'

const ticksAfter = (expression: string, zone: string, from: string, count = 1): string[] => {
  const cron = parseCron(expression)
  const ticks: string[] = []
  let at = Date.parse(from)
  for (let i = 0; i < count; i++) {
    at = nextTick(cron, zone, at) ?? Number.NaN
    ticks.push(new Date(at).toISOString())
  }
  return ticks
}

describe('cron expressions', () => {
  it('go by the clocks of their zone', () => {
    expect(ticksAfter('0 9 * * mon-fri', 'Europe/Berlin', '2026-03-27T09:00:00Z', 2)).toEqual([
      '2026-03-30T07:00:00.000Z',
      '2026-03-31T07:00:00.000Z',
    ])
  })
  it('run a skipped time at the end of the gap, and a doubled one once', () => {
    expect(ticksAfter('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ])
    expect(ticksAfter('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ])
  })
  it('of every hour go by elapsed time', () => {
    const ticks = ticksAfter('0 * * * *', 'Europe/Berlin', '2026-10-24T22:30:00Z', 6).map(Date.parse)
    expect(ticks.slice(1).every((tick, i) => tick - (ticks[i] ?? 0) === 3_600_000)).toBe(true)
  })
  it('with both kinds of days fit either, and know leap years', () => {
    expect(ticksAfter('0 0 13 * fri', 'UTC', '2026-11-01T00:00:00Z', 3).map((at) => at.slice(0, 10))).toEqual(
      ['2026-11-06', '2026-11-13', '2026-11-20'],
    )
    expect(ticksAfter('0 0 29 2 *', 'UTC', '2026-01-01T00:00:00Z')).toEqual(['2028-02-29T00:00:00.000Z'])
  })
  it.each([
    '',
    '* * * *',
    '60 * * * *',
    '* * * * * *',
    '0 0 30 2 *',
    '5-1 * * * *',
    '*/0 * * * *',
    '@often',
    '* * 0 * *',
  ])('refuse %j', (expression) => expect(() => parseCron(expression)).toThrow(TypeError))
  it('refuse unknown zones', () => expect(() => offsetAt('Europe/Atlantis', 0)).toThrow('no time zone'))

  it('tick at the first minute that fits, as looking at every minute finds it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 59 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: Date.parse('2026-01-01T00:00:00Z'), max: Date.parse('2026-12-31T00:00:00Z') }),
        fc.constantFrom('UTC', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe'),
        (minute, step, from, zone) => {
          const cron = parseCron(`${minute}/${step} * * * *`)
          let at = Math.floor(from / 60_000) * 60_000
          do at += 60_000
          while (!cron.minutes.includes(new Date(at + offsetAt(zone, at)).getUTCMinutes()))
          expect(nextTick(cron, zone, from)).toBe(at)
        },
      ),
      { numRuns: 150 },
    )
  })
})
