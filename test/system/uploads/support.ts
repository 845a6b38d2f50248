import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unstable_startWorker as startWorker } from 'wrangler'
import type { ScratchDatabase } from '../support/postgres.ts'

/** The test's worker, served. */
export interface TestWorker {
  readonly url: string
  /** Ends it; with its state, unless that is kept for the next. */
  stop(): Promise<void>
}

/** Serves `app.ts` in workerd, over a database. */
export async function startApp({ url, endpoint }: ScratchDatabase, state?: string): Promise<TestWorker> {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-uploads-'))
  const config = join(folder, 'wrangler.json')
  writeFileSync(
    config,
    JSON.stringify({
      name: 'uploads-test',
      main: join(import.meta.dirname, 'app.ts'),
      compatibility_date: '2026-10-01',
      compatibility_flags: ['nodejs_compat'],
      images: { binding: 'IMAGES' },
      r2_buckets: [
        {
          binding: 'BUCKET',
          bucket_name: 'uploads',
          // Miniflare's own S3 endpoint, at /cdn-cgi/local/r2/s3/uploads.
          local_dev: {
            experimental_s3_credentials: { accessKeyId: 'test-key', secretAccessKey: 'test-secret' },
          },
        },
      ],
      vars: { DATABASE_URL: url, NEON_ENDPOINT: endpoint },
    }),
  )
  const worker = await startWorker({
    config,
    dev: {
      server: { hostname: '127.0.0.1', port: 0 },
      inspector: false,
      logLevel: 'none',
      persist: state ?? join(folder, 'state'),
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
