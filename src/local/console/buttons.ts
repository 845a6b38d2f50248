import type { Fault } from '../faults.ts'

/** The faults that a button asks for. More are there over HTTP. */
export const BUTTONS: Readonly<Record<string, Fault>> = {
  '50 ms': { latency: 50, jitter: 10 },
  '1 s': { latency: 1000 },
  '503': { status: 503 },
  '429': { status: 429, headers: { 'retry-after': '5' } },
  hang: { hang: true },
  drop: { drop: 'before' },
  'lose replies': { drop: 'after' },
}
