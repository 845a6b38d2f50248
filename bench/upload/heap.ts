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
export async function watchHeap(address: URL): Promise<HeapWatch> {
  const targets = (await (await fetch(`http://${address.host}/json`)).json()) as { id: string }[]
  const target = targets.find(({ id }) => id.startsWith('core:user')) ?? targets[0]
  const inspector = await inspect(Number(address.port), target?.id ?? '')
  const now = async (): Promise<number> => {
    const { usedSize, backingStorageSize = 0 } = await inspector.send<Usage>('Runtime.getHeapUsage')
    return usedSize + backingStorageSize
  }
  return {
    now,
    async settled() {
      await inspector.send('HeapProfiler.collectGarbage')
      return now()
    },
    close: () => inspector.close(),
  }
}
