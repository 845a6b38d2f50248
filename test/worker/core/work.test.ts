import { currentWork, runWork, type Span, span, uuidv7, type Work } from 'breakwater/core'
import { expect, it } from 'vitest'

function work(spans: Span[]): Work {
  return {
    kind: 'other',
    id: 'w1',
    trace: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true },
    signal: new AbortController().signal,
    waitUntil: () => {},
    record: (s) => spans.push(s),
    facts: new Map(),
  }
}

it('finds the unit of work across awaits, and nowhere else', async () => {
  await runWork(work([]), async () => {
    await scheduler.wait(1)
    expect(currentWork()?.id).toBe('w1')
  })
  expect(currentWork()).toBeUndefined()
})

it('records a failed span as failed and lets the error through', async () => {
  const spans: Span[] = []
  await expect(
    runWork(work(spans), () => span('db.query', 'select 1', () => Promise.reject(new Error('no')))),
  ).rejects.toThrow('no')
  expect(spans).toMatchObject([{ op: 'db.query', name: 'select 1', ok: false }])
})

it('makes ids that sort by time', () => {
  expect(uuidv7(1000) < uuidv7(2000)).toBe(true)
  expect(uuidv7()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
