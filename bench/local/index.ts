import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createNeonApp, serveStandIn, startPostgres } from '../../src/local/index.ts'
import { compare, startRedis } from '../../test/system/upstash/differential.ts'
import '../support/self.ts'
import type { Bench } from '../support/bench.ts'
import { round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { type Resident, residentOf } from './memory.ts'

const root = join(import.meta.dirname, '../..')

/** How soon the local stack is ready, what it takes, and how faithful its stand-ins are. */
export const bench: Bench = {
  about: 'The local stack: seconds to ready, memory, answers unlike those of real servers.',
  async run({ say }) {
    const folder = mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
    // As root, Postgres runs as a user of its own, who must get through.
    chmodSync(folder, 0o755)
    try {
      const first = await runStack(join(folder, 'state'))
      say(`first start: worker answers after ${round(first.seconds)} s`)
      const later = await runStack(join(folder, 'state'))
      say(`later start: worker answers after ${round(later.seconds)} s`)
      for (const { command, megabytes } of later.resident.processes) say(`  ${command} ${megabytes} MB`)
      const redis = await compareWithRedis(say)
      const postgres = await compareWithPostgres(join(folder, 'postgres'))
      for (const difference of [...redis.differing, ...postgres.differing]) say(JSON.stringify(difference))
      const figures = {
        firstReadySeconds: round(first.seconds),
        laterReadySeconds: round(later.seconds),
        residentMB: later.resident.megabytes,
        commandsCompared: redis.compared + postgres.compared,
        commandsDiffering: redis.differing.length + postgres.differing.length,
      }
      const report = [
        table(['figure', 'value'], Object.entries(figures)),
        '',
        'Seconds run from starting the command until the worker has answered a request.',
        `Memory is the sum of ${later.resident.kind} over ${later.resident.processes.length} processes, after requests were served.`,
        `Compared: ${redis.compared} answers with real Redis, ${postgres.compared} with Postgres itself.`,
      ]
      return { figures, report: report.join('\n') }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

/** Starts the stack as `npm run dev` does, on free ports, has it serve some requests, and stops it. */
async function runStack(state: string): Promise<{ seconds: number; resident: Resident }> {
  const { DATABASE_URL: _, REDIS_URL: __, ...env } = process.env
  const parts = ['', 'console-', 'postgres-', 'neon-', 'upstash-', 'sentry-', 'mail-']
  const ports = parts.flatMap((part) => [`--${part}port`, '0'])
  const began = performance.now()
  const child = spawn(process.execPath, ['src/cli/main.ts', 'dev', ...ports, '--state', state], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  try {
    const worker = await new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          output += chunk
          const address = /^ {2}Worker +(http\S+)$/m.exec(output)?.[1]
          if (address !== undefined) resolve(address)
        })
      }
      ended.then(() => reject(new Error(`The local stack did not start:\n${output}`)))
    })
    const answered = await fetch(`${worker}/livez`)
    if (answered.status !== 200) throw new Error(`/livez answered ${answered.status}:\n${output}`)
    const seconds = (performance.now() - began) / 1000
    for (let i = 0; i < 50; i++) await (await fetch(`${worker}/readyz`)).arrayBuffer()
    return { seconds, resident: residentOf(child.pid ?? 0) }
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}

async function compareWithRedis(
  say: (line: string) => void,
): Promise<{ compared: number; differing: readonly unknown[] }> {
  const redis = await startRedis()
  if (redis === undefined) {
    say('redis-server is not installed: the Upstash stand-in was compared with nothing')
    return { compared: 0, differing: [] }
  }
  try {
    return await compare(redis.url)
  } finally {
    await redis.stop()
  }
}

async function compareWithPostgres(
  dataDir: string,
): Promise<{ compared: number; differing: readonly unknown[] }> {
  const { compareNeon } = await import('../../test/system/neon/differential.ts')
  const postgres = await startPostgres({ dataDir, durable: false })
  const neon = await serveStandIn(createNeonApp({ connect: postgres.url }))
  try {
    return await compareNeon({ url: postgres.url, endpoint: neon.url })
  } finally {
    await neon.stop()
    await postgres.stop()
  }
}
