import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from '../support/bench.ts'
import { numbers } from '../support/flags.ts'
import { type Inspector, inspect } from '../support/inspector.ts'
import { round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { serveWorkers } from '../support/workerd.ts'

/** One batch: short enough to be over soon, long enough that the way there does not count. */
const BATCH = 2000
/** Fills every bounded memory to its bound before anything is counted. */
const WARM = 40_000

/** Whether an isolate remembers people it should not. */
export const bench: Bench = {
  about: 'Heap of an isolate before and after a million requests by a million people; flat is right.',
  options: '--requests 1000000',
  async run({ args, say }) {
    const { requests } = numbers(args, { requests: 1_000_000 })
    const entry = join(import.meta.dirname, 'workers/crowd.ts')
    const served = await serveWorkers([{ name: 'crowd', entry }], { inspector: true })
    try {
      const session = await inspect(served.inspector, 'crowd')
      const base = `http://127.0.0.1:${served.ports['crowd']}`
      await crowd(base, 0, WARM)
      const samples = [{ requests: 0, MB: await heap(session, base) }]
      const step = Math.max(BATCH, Math.ceil(requests / 8 / BATCH) * BATCH)
      for (let done = 0; done < requests; done += step) {
        const now = Math.min(step, requests - done)
        await crowd(base, WARM + done, now)
        samples.push({ requests: done + now, MB: await heap(session, base) })
        say(`${done + now} requests, ${samples.at(-1)?.MB} MB`)
      }
      session.close()
      const [first, last] = [samples[0]?.MB ?? Number.NaN, samples.at(-1)?.MB ?? Number.NaN]
      return {
        figures: { growthMB: round(last - first), requests, samples },
        report: [
          table(
            ['requests', 'heap, MB'],
            samples.map(({ requests, MB }) => [requests, MB]),
          ),
          '',
          'Live after a full collection, by the inspector. Every request has an address, an account, a session and a trace of its own.',
        ].join('\n'),
      }
    } finally {
      await served.stop()
    }
  },
}

async function crowd(base: string, from: number, count: number): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    const batch = Math.min(BATCH, count - done)
    const reply = await fetch(`${base}/crowd?from=${from + done}&count=${batch}`)
    if (!reply.ok) throw new Error(`A request was answered ${reply.status}: ${await reply.text()}`)
    await reply.arrayBuffer()
  }
}

/** Megabytes in use after a full collection. */
async function heap(session: Inspector, base: string): Promise<number> {
  // What the first collection sets free may hold on to more until the second.
  for (let i = 0; i < 2; i++) {
    let done = false
    const collected = session.send('HeapProfiler.collectGarbage').finally(() => {
      done = true
    })
    // workerd collects when it next has something to do.
    while (!done) {
      await (await fetch(base)).arrayBuffer()
      await sleep(20)
    }
    await collected
  }
  const { usedSize } = await session.send<{ usedSize: number }>('Runtime.getHeapUsage')
  return round(usedSize / 1e6)
}
