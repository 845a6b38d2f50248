import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileStore } from '@tus/file-store'
import { MemoryLocker, Server } from '@tus/server'

/** The protocol's own implementation for Node, on the local disk. */
export interface TusPeer {
  /** Where uploads are created. */
  readonly url: string
  /** Where files are. */
  readonly folder: string
  stop(): Promise<void>
}

/** Starts it on a free port. */
export async function startTusPeer(maxSize: number): Promise<TusPeer> {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-tus-'))
  const datastore = new FileStore({ directory: folder, expirationPeriodInMilliseconds: 86_400_000 })
  const tus = new Server({
    path: '/files',
    datastore,
    maxSize,
    locker: new MemoryLocker(),
    relativeLocation: true,
  })
  const server = createServer((request, response) => void tus.handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/files`,
    folder,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
