import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from '../support/inspector.ts'

/** The memory of one isolate, by the debugger: V8's heap and what array buffers hold outside of it. */
export interface HeapWatch {
  /** Bytes in use after a garbage collection. */
  settled(): Promise<number>
  /** Bytes in use now. */
  now(): Promise<number>
  close(): void
}

interface Usage {
  readonly usedSize: number
  readonly backingStorageSize?: number
}

/** Attaches to the isolate of the user's worker. */
export async function watchHeap(address: URL, nudge: () => Promise<unknown>): Promise<HeapWatch> {
  const targets = (await (await fetch(`http://${address.host}/json`)).json()) as { id: string }[]
  const target = targets.find(({ id }) => id.startsWith('core:user')) ?? targets[0]
  const inspector = await inspect(Number(address.port), target?.id ?? '')
  /** workerd answers the debugger when the isolate next has something to do. */
  async function ask<T>(method: string): Promise<T> {
    let done = false
    const reply = inspector.send<T>(method).finally(() => {
      done = true
    })
    while (!done) await Promise.race([reply, nudge().then(() => sleep(20))])
    return reply
  }
  const now = async (): Promise<number> => {
    const { usedSize, backingStorageSize = 0 } = await ask<Usage>('Runtime.getHeapUsage')
    return usedSize + backingStorageSize
  }
  return {
    now,
    async settled() {
      // What the first collection sets free may hold on to more until the second.
      for (let i = 0; i < 2; i++) await ask('HeapProfiler.collectGarbage')
      return now()
    },
    close: () => inspector.close(),
  }
}
