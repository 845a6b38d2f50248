import { createJobs, job } from 'breakwater/jobs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { delaySeconds, messageFor, readMessage } from '../../../src/jobs/message.ts'
import { backoff, compileRetry, DAY } from '../../../src/jobs/retry.ts'

describe('back-off', () => {
  it('never leaves its bounds, and never the longest delay of a queue', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: DAY }),
        (attempt, random, base) => {
          const retry = compileRetry({ base, max: DAY })
          const ms = backoff(retry, attempt, random)
          expect(ms).toBeGreaterThanOrEqual(0)
          expect(ms).toBeLessThanOrEqual(Math.min(DAY, base * 2 ** (attempt - 1)) + 1)
          const seconds = delaySeconds(ms)
          expect(Number.isInteger(seconds) && seconds >= 0 && seconds <= 86_400).toBe(true)
        },
      ),
    )
  })

  it('spreads jobs that failed together', () => {
    const retry = compileRetry()
    const delays = new Set(Array.from({ length: 200 }, () => backoff(retry, 6)))
    expect(delays.size).toBeGreaterThan(150)
  })

  it.each([{ attempts: 0 }, { attempts: 101 }, { max: '25 h' }, { base: '2 h', max: '1 h' }] as const)(
    'refuses %j when declared',
    (retry) => {
      expect(() => job('x', { input: z.object({}), retry }, () => {})).toThrow(TypeError)
    },
  )
})

describe('messages', () => {
  it('are far smaller than a queue allows, and read back', () => {
    const id = '01890000-0000-7000-8000-000000000000'
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const message = messageFor(id, traceparent)
    expect(JSON.stringify(message).length).toBeLessThan(200)
    expect(readMessage(message)).toMatchObject({ id, trace: { traceId: 'a'.repeat(32), sampled: true } })
    expect(readMessage({ ...message, traceparent: 'nonsense' })).toMatchObject({ id, trace: undefined })
  })

  it('of others are not taken for ours', () => {
    fc.assert(
      fc.property(fc.anything(), (body) => {
        expect(readMessage(body)).toBeUndefined()
      }),
    )
  })
})

describe('declaring jobs', () => {
  const input = z.object({})
  it('refuses wrong names, versions, timeouts, and two of one name', () => {
    expect(() => job('a b', { input }, () => {})).toThrow(TypeError)
    expect(() => job('a', { input, version: 0 }, () => {})).toThrow(TypeError)
    expect(() => job('a', { input, timeout: '15 m' }, () => {})).toThrow(TypeError)
    const one = job('a', { input }, () => {})
    const two = job('a', { input }, () => {})
    expect(() => createJobs({ db: {} as never, queue: {} as never, jobs: [one, two] })).toThrow('Two jobs')
  })
})
