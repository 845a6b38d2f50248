import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { type BreakerState, breaker, breakerStates, resetBreakers } from '../../../src/core/breaker.ts'
import { BreakwaterError } from '../../../src/core/errors.ts'

let clock = 0
const now = (): number => clock
const fail = (): Promise<never> => Promise.reject(new Error('down'))
const work = (): Promise<string> => Promise.resolve('up')

beforeEach(() => {
  clock = 1_000_000
  resetBreakers()
})

async function times(n: number, fn: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < n; i++) await fn().catch(() => {})
}

describe('a circuit', () => {
  it('opens after enough failures and then refuses without a call, saying when to come back', async () => {
    const circuit = breaker('redis', { failures: 3, cooldown: '5 s', now })
    await times(2, () => circuit.run(fail))
    expect(circuit.state).toBe('closed')
    await expect(circuit.run(fail)).rejects.toThrow('down')
    expect(circuit.state).toBe('open')
    let called = false
    const refusal = await circuit
      .run(async () => {
        called = true
      })
      .catch((error: unknown) => error)
    expect(called).toBe(false)
    expect(refusal).toMatchObject({ code: 'dependency-unavailable', status: 503, report: false })
    expect(Number((refusal as BreakwaterError).headers['Retry-After'])).toBeGreaterThanOrEqual(5)
    expect(breakerStates()).toMatchObject({ redis: { state: 'open', failures: 3 } })
  })

  it('opens for a dependency that hangs, whose failures come one by one', async () => {
    const circuit = breaker('slow', { failures: 3, window: '10 s', now })
    for (let i = 0; i < 3; i++) {
      clock += 15_000
      await times(1, () => circuit.run(fail))
    }
    expect(circuit.state).toBe('open')
    resetBreakers()
    const healthy = breaker('slow', { failures: 3, window: '10 s', now })
    for (let i = 0; i < 5; i++) {
      clock += 15_000
      await times(1, () => healthy.run(fail))
      await healthy.run(work)
    }
    expect(healthy.state).toBe('closed')
  })

  it('lets one probe through after the cooldown, and closes when it succeeds', async () => {
    const circuit = breaker('a', { failures: 1, cooldown: 1000, now })
    await times(1, () => circuit.run(fail))
    clock += 1200
    expect(circuit.state).toBe('half-open')
    let finish = (_value: string): void => {}
    const probe = circuit.run(() => new Promise<string>((resolve) => (finish = resolve)))
    await expect(circuit.run(work)).rejects.toMatchObject({ code: 'dependency-unavailable' })
    finish('up')
    expect(await probe).toBe('up')
    expect(circuit.state).toBe('closed')
    expect(await circuit.run(work)).toBe('up')
    expect(circuit.report()).toEqual({ state: 'closed', failures: 0, retryAfter: 0 })
  })

  it('waits longer after each failed probe, up to a bound, and starts over once it closed', async () => {
    const circuit = breaker('a', { failures: 1, cooldown: 1000, maxCooldown: 4000, now })
    await times(1, () => circuit.run(fail))
    const waits: number[] = []
    for (let i = 0; i < 4; i++) {
      waits.push(circuit.report().retryAfter)
      clock += 5000
      await times(1, () => circuit.run(fail))
    }
    expect(waits).toEqual([2, 3, 5, 5])
    clock += 5000
    await circuit.run(work)
    await times(1, () => circuit.run(fail))
    expect(circuit.report().retryAfter).toBe(2)
  })

  it('is not held forever by a probe that never comes back', async () => {
    const circuit = breaker('a', { failures: 1, cooldown: 1000, probeTimeout: 3000, now })
    await times(1, () => circuit.run(fail))
    clock += 1200
    let finish = (): void => {}
    const lost = circuit.run(() => new Promise<void>((resolve) => (finish = resolve)))
    await expect(circuit.run(work)).rejects.toThrow()
    clock += 3001
    await times(1, () => circuit.run(fail))
    expect(circuit.state).toBe('open')
    finish() // the lost one returns after all: it has no say any more
    await lost
    expect(circuit.state).toBe('open')
  })

  it('ignores the outcome of calls that began before it opened', async () => {
    const circuit = breaker('a', { failures: 1, cooldown: 1000, now })
    let finish = (): void => {}
    const early = circuit.run(() => new Promise<void>((resolve) => (finish = resolve)))
    await times(1, () => circuit.run(fail))
    finish()
    await early
    expect(circuit.state).toBe('open')
  })

  it('forgets failures that are older than the window, once a call has succeeded', async () => {
    const circuit = breaker('a', { failures: 3, window: '10 s', now })
    await times(2, () => circuit.run(fail))
    await circuit.run(work)
    clock += 11_000
    await times(2, () => circuit.run(fail))
    expect(circuit.state).toBe('closed')
    await times(1, () => circuit.run(fail))
    expect(circuit.state).toBe('open')
  })

  it('stays closed while most calls succeed', async () => {
    const circuit = breaker('a', { failures: 3, ratio: 0.5, now })
    await times(20, () => circuit.run(work))
    await times(10, () => circuit.run(fail))
    expect(circuit.state).toBe('closed')
  })

  it('does not blame the dependency for our refusals and for callers who went away', async () => {
    const circuit = breaker('a', { failures: 1, cooldown: 1000, now })
    const gone = Object.assign(new Error('gone'), { name: 'AbortError' })
    const ours = new BreakwaterError('not-found', { status: 404 })
    await times(5, () => circuit.run(() => Promise.reject(gone)))
    await times(5, () => circuit.run(() => Promise.reject(ours)))
    expect(circuit.state).toBe('closed')
    await times(1, () =>
      circuit.run(() => Promise.reject(new BreakwaterError('deadline-exceeded', { status: 504 }))),
    )
    expect(circuit.state).toBe('open')
    clock += 1200
    // Such an outcome of a probe says nothing: the next call probes.
    await times(1, () => circuit.run(() => Promise.reject(gone)))
    expect(await circuit.run(work)).toBe('up')
    expect(circuit.state).toBe('closed')
  })

  it('is shared by name, tells of its changes, and survives a listener and a judge that throw', async () => {
    const seen: BreakerState[] = []
    const circuit = breaker('a', {
      failures: 1,
      cooldown: 1000,
      now,
      onChange: (state) => {
        seen.push(state)
        throw new Error('listener')
      },
      isFailure: () => {
        throw new Error('judge')
      },
    })
    expect(breaker('a')).toBe(circuit)
    await expect(circuit.run(fail)).rejects.toThrow('down')
    clock += 1200
    await circuit.run(work)
    expect(seen).toEqual(['open', 'closed'])
  })

  it('refuses options that make no sense', () => {
    expect(() => breaker('x', { failures: 0 })).toThrow(TypeError)
    expect(() => breaker('x', { ratio: 2 })).toThrow(TypeError)
    expect(() => breaker('x', { window: -1 })).toThrow(TypeError)
    expect(breakerStates()).toEqual({})
  })
})

it('never lets two probes run at once, whatever happens when', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ wait: fc.integer({ min: 0, max: 1500 }), ok: fc.boolean(), finish: fc.boolean() }),
        {
          maxLength: 60,
        },
      ),
      async (steps) => {
        resetBreakers()
        const circuit = breaker('p', { failures: 2, cooldown: 1000, probeTimeout: 1e9, now })
        const open: { settle: (ok: boolean) => void; probe: boolean }[] = []
        for (const step of steps) {
          clock += step.wait
          const before = circuit.state
          const probe = before === 'half-open'
          const call = circuit
            .run(
              () =>
                new Promise<void>((resolve, reject) => {
                  open.push({ probe, settle: (ok) => (ok ? resolve() : reject(new Error('down'))) })
                }),
            )
            .catch(() => {})
          expect(open.filter((running) => running.probe).length).toBeLessThanOrEqual(1)
          if (before === 'open') await call
          if (step.finish) {
            open.shift()?.settle(step.ok)
            await new Promise((resolve) => setImmediate(resolve))
            if (circuit.state === 'closed') for (const running of open) running.probe = false
          }
        }
        for (const running of open) running.settle(true)
      },
    ),
    { numRuns: 100 },
  )
})
