import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unstable_startWorker as startWorker } from 'wrangler'
import type { ScratchDatabase } from '../support/postgres.ts'

/** The test's worker, served. */
export interface TestWorker {
  readonly url: string
  stop(): Promise<void>
}

/** Serves `app.ts` in workerd, over a database. */
export async function startApp({ url, endpoint }: ScratchDatabase): Promise<TestWorker> {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-uploads-'))
  const config = join(folder, 'wrangler.json')
  writeFileSync(
    config,
    JSON.stringify({
      name: 'uploads-test',
      main: join(import.meta.dirname, 'app.ts'),
      compatibility_date: '2026-10-01',
      compatibility_flags: ['nodejs_compat'],
      r2_buckets: [{ binding: 'BUCKET', bucket_name: 'uploads' }],
      vars: { DATABASE_URL: url, NEON_ENDPOINT: endpoint },
    }),
  )
  const worker = await startWorker({
    config,
    dev: {
      server: { hostname: '127.0.0.1', port: 0 },
      inspector: false,
      logLevel: 'none',
      persist: join(folder, 'state'),
      watch: false,
    },
  })
  await worker.ready
  return {
    url: String(await worker.url).replace(/\/$/, ''),
    async stop() {
      await worker.dispose()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A PNG as far as its head goes: signature, size, then bytes that do not repeat soon. */
export function png(size: number, width = 640, height = 480): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + (i >> 16)) & 0xff
  const head = Buffer.alloc(24)
  head.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52])
  head.writeUInt32BE(width, 16)
  head.writeUInt32BE(height, 20)
  bytes.set(head.subarray(0, Math.min(size, 24)))
  return bytes
}

/** SHA-256, hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A `Repr-Digest` value. */
export function reprDigest(bytes: Uint8Array): string {
  return `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`
}
