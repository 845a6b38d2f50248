import { fork } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { startLocal } from '../../src/local/index.ts'
import type { Bench } from '../support/bench.ts'
import { median, round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { type HeapWatch, watchHeap } from './heap.ts'
import { type Reply, sendBytes } from './sender.ts'

const MIB = 1024 * 1024
/** Megabytes of a PATCH, as a client sends that keeps below Cloudflare's limit of a body. */
const PATCH_MB = 64

const expectStatus = ({ status }: Reply, wanted: number, what: string): void => {
  if (status !== wanted) throw new Error(`${what} was answered ${status}`)
}

/** Sends a file by tus, to whoever speaks it. */
async function byTus(url: string, megabytes: number): Promise<void> {
  const metadata = `kind ${btoa('film')},filename ${btoa('film.png')}`
  const create = await fetch(url, {
    method: 'POST',
    headers: {
      'Tus-Resumable': '1.0.0',
      'Upload-Length': String(megabytes * MIB),
      'Upload-Metadata': metadata,
    },
  })
  await create.arrayBuffer()
  const address = new URL(create.headers.get('location') ?? '', url).href
  for (let at = 0; at < megabytes; at += PATCH_MB) {
    const headers = {
      'Tus-Resumable': '1.0.0',
      'Upload-Offset': String(at * MIB),
      'Content-Type': 'application/offset+octet-stream',
    }
    const size = Math.min(PATCH_MB, megabytes - at)
    const reply = await sendBytes(address, { method: 'PATCH', megabytes: size, headers, first: at === 0 })
    expectStatus(reply, 204, 'a PATCH')
  }
}

async function startPeer(): Promise<{ url: string; stop(): void }> {
  const child = fork(join(import.meta.dirname, 'peer.ts'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve(String(message)))
    child.once('exit', (code) => reject(new Error(`the peer ended with ${code}`)))
  })
  return { url, stop: () => child.disconnect() }
}

/** Seconds, and by how much the isolate grew meanwhile. */
async function measured(
  heap: HeapWatch,
  work: () => Promise<void>,
): Promise<{ seconds: number; growth: number }> {
  const before = await heap.settled()
  let most = before
  let done = false
  const watching = (async () => {
    while (!done) {
      most = Math.max(most, await heap.now())
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  done = true
  await watching
  return { seconds, growth: most - before }
}

/** Takes a large file in by each way, beside R2 alone and beside tus's own server. */
export const bench: Bench = {
  about: 'a large file by each way in: memory, and speed beside R2 alone and @tus/server',
  options: '--mb 1024 --rounds 3',
  async run({ args, say }) {
    const { values } = parseArgs({
      args: [...args],
      options: { mb: { type: 'string' }, rounds: { type: 'string' } },
    })
    const megabytes = Number(values.mb ?? 1024)
    const rounds = Number(values.rounds ?? 3)
    const state = mkdtempSync(join(tmpdir(), 'breakwater-bench-upload-'))
    chmodSync(state, 0o755)
    const local = await startLocal({ state: join(state, 'stack'), worker: false })
    const peer = await startPeer()
    const bundle = await build({
      entryPoints: [join(import.meta.dirname, 'worker.ts')],
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2024',
      conditions: ['workerd', 'worker', 'browser', 'import'],
      external: ['cloudflare:*', 'node:*'],
      logLevel: 'error',
    })
    const miniflare = new Miniflare(
      convertV4MiniflareOptions({
        name: 'upload',
        modules: true,
        script: bundle.outputFiles[0]?.text ?? '',
        compatibilityDate: '2026-10-01',
        compatibilityFlags: ['nodejs_compat'],
        host: '127.0.0.1',
        port: 0,
        inspectorPort: 0,
        r2Buckets: { BUCKET: 'uploads' },
        r2Persist: join(state, 'r2'),
        bindings: { DATABASE_URL: local.postgres, NEON_ENDPOINT: local.neon },
      }),
    )
    try {
      const base = (await miniflare.ready).href.replace(/\/$/, '')
      const heap = await watchHeap(await miniflare.getInspectorURL(), async () => {
        await (await fetch(`${base}/idle`)).arrayBuffer()
      })
      const post = async (path: string, chunked = false): Promise<void> =>
        expectStatus(await sendBytes(`${base}${path}`, { method: 'POST', megabytes, chunked }), 201, path)
      const ways: Record<string, () => Promise<void>> = {
        'R2.put alone': () => post('/raw'),
        streamed: () => post('/?kind=film&name=film.png'),
        'streamed, length unknown': () => post('/?kind=film&name=film.png', true),
        tus: () => byTus(`${base}/tus`, megabytes),
        '@tus/server on disk': () => byTus(peer.url, megabytes),
      }
      const seconds = new Map<string, number[]>()
      const growth = new Map<string, number>()
      for (let at = 0; at < rounds; at++) {
        for (const [name, work] of Object.entries(ways)) {
          const one = await measured(heap, work)
          seconds.set(name, [...(seconds.get(name) ?? []), one.seconds])
          growth.set(name, Math.max(growth.get(name) ?? 0, one.growth))
          await fetch(`${base}/empty`, { method: 'POST' })
          say(
            `round ${at + 1}: ${name} ${round(one.seconds, 1)} s, isolate +${round(one.growth / MIB, 1)} MB`,
          )
        }
      }
      heap.close()
      const rate = (name: string): number => megabytes / median(seconds.get(name) ?? [])
      const raw = rate('R2.put alone')
      const own = ['streamed', 'streamed, length unknown', 'tus']
      const figures = {
        megabytes,
        growthMB: round(Math.max(...own.map((name) => growth.get(name) ?? 0)) / MIB, 1),
        streamedRatio: round(rate('streamed') / raw),
        chunkedRatio: round(rate('streamed, length unknown') / raw),
        tusRatio: round(rate('tus') / raw),
        tusRatioToPeer: round(rate('tus') / rate('@tus/server on disk')),
      }
      const rows = Object.keys(ways).map((name) => [
        name,
        round(rate(name), 0),
        round(rate(name) / raw),
        name.startsWith('@') ? '–' : round((growth.get(name) ?? 0) / MIB, 1),
      ])
      return { figures, report: table(['way', 'MB/s', 'to R2.put', 'isolate grew, MB'], rows) }
    } finally {
      await miniflare.dispose()
      peer.stop()
      await local.stop()
      rmSync(state, { recursive: true, force: true })
    }
  },
}
