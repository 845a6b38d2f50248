import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { bundling } from '../../bench/support/bundling.ts'
import { installPeers } from '../../bench/support/peers.ts'
import { startOutside } from './capture/outside.ts'
import { type Running, rowsOf } from './capture/rows.ts'
import { type Conformance, conformance, type Row } from './table.ts'

interface Subject {
  readonly entry: string
  /** What is weighed: everything it brings along, Hono apart. */
  readonly weigh: string
  readonly folder?: string
  readonly peer?: string
}

const here = import.meta.dirname
const SUBJECTS: Readonly<Record<string, Subject>> = {
  breakwater: { entry: join(here, 'capture/toucan.ts'), weigh: `export * from 'breakwater/capture'` },
  'breakwater with @sentry/cloudflare': {
    entry: join(here, 'capture/sentry-cloudflare.ts'),
    weigh: `export * from 'breakwater/capture'; export * from 'breakwater/capture/sentry-cloudflare'`,
  },
  '@sentry/cloudflare': {
    entry: join(here, '../../bench/capture/workers/peers.ts'),
    weigh: `export { withSentry } from '@sentry/cloudflare'`,
    folder: join(here, '../../bench/capture/workers'),
    peer: 'sentry-cloudflare',
  },
  '@hono/sentry': {
    entry: join(here, '../../bench/capture/workers/peers.ts'),
    weigh: `export { sentry } from '@hono/sentry'`,
    folder: join(here, '../../bench/capture/workers'),
    peer: 'hono-sentry',
  },
}

async function bundle(subject: Subject): Promise<{ code: string; kilobytes: number }> {
  const common = { ...bundling, write: false as const, logLevel: 'silent' as const }
  const stdin = { contents: subject.weigh, resolveDir: subject.folder ?? here, loader: 'ts' as const }
  const [whole, weighed] = await Promise.all([
    build({ ...common, entryPoints: [subject.entry], minifyIdentifiers: false, keepNames: true }),
    build({ ...common, stdin, external: [...common.external, 'hono', 'hono/*'] }),
  ])
  const gzip = gzipSync(weighed.outputFiles[0]?.contents ?? '', { level: 9 }).length
  return { code: whole.outputFiles[0]?.text ?? '', kilobytes: Math.round(gzip / 100) / 10 }
}

async function start(
  code: string,
  kilobytes: number,
  peer: string | undefined,
): Promise<Running & { stop(): Promise<void> }> {
  const outside = await startOutside()
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: code,
      compatibilityDate: '2026-10-01',
      compatibilityFlags: ['nodejs_compat'],
      host: '127.0.0.1',
      port: 0,
      bindings: { SENTRY_DSN: outside.dsn, OUTSIDE: outside.url, ...(peer !== undefined && { PEER: peer }) },
      r2Buckets: ['BUCKET'],
      // What workerd says of errors that nobody caught is not what is looked at here.
      handleStructuredLogs: () => {},
    }),
  )
  /** What is sent behind the reply comes when it comes: until a while has passed in silence. */
  const settled = async (): Promise<void> => {
    let seen = -1
    while (seen !== outside.seen.raw.length) {
      seen = outside.seen.raw.length
      await new Promise((resolve) => setTimeout(resolve, 120))
    }
  }
  return {
    outside,
    kilobytes,
    async request(path, init) {
      const response = await runtime.dispatchFetch(`https://app.example${path}`, init as never)
      await response.arrayBuffer()
      await settled()
      return { status: response.status }
    },
    async queue() {
      const worker = await runtime.getWorker()
      await worker
        .queue('jobs', [{ id: '1', timestamp: new Date(), attempts: 1, body: { n: 1 } }])
        .catch(() => {})
      await settled()
    },
    async scheduled() {
      const worker = await runtime.getWorker()
      await worker.scheduled({ cron: '17 3 * * *' }).catch(() => {})
      await settled()
    },
    async stop() {
      await runtime.dispose()
      await outside.stop()
    },
  }
}

/** Runs the matrix for every subject, each row in an isolate of its own, in workerd. */
export async function run(): Promise<Conformance> {
  installPeers((line) => console.error(line))
  const results: Record<string, Row[]> = {}
  for (const [name, subject] of Object.entries(SUBJECTS)) {
    console.error(`capture: ${name}`)
    const { code, kilobytes } = await bundle(subject)
    results[name] = await rowsOf(() => start(code, kilobytes, subject.peer))
  }
  const { breakwater = [], ...others } = results
  // Side by side: what each of the others said where it differs.
  const rows = breakwater.map((row, i) => {
    const failing = Object.entries(others).flatMap(([name, theirs]) => {
      const their = theirs[i]
      return their?.status === 'fail' ? [`${name}: ${their.note}`] : []
    })
    const note = [row.note, ...failing].filter(Boolean).join('; ')
    return { ...row, ...(note && { note }) }
  })
  return conformance('capture', rows, others)
}
