import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { LocalError } from './errors.ts'
import { workerLines } from './noise.ts'
import { groupOf, type ProcessMark, signal } from './processes.ts'

/** How the worker is run. */
export interface WorkerOptions {
  /** The project's folder. */
  readonly dir: string
  /** The wrangler configuration. */
  readonly config: string
  readonly port: number
  /** Where R2, queues and the like are kept, and wrangler's own files. */
  readonly state: string
  /** Read in this order; later ones win. */
  readonly envFiles: readonly string[]
  /** Plain variables: visible to whoever may list processes, so never secrets. */
  readonly vars: Readonly<Record<string, string>>
  /** Names that the shell's environment must not decide. */
  readonly hide: readonly string[]
  readonly log: (line: string) => void
  /** Called with the process group as soon as there is one. */
  readonly started: (group: number) => void
  readonly signal?: AbortSignal | undefined
}

/** The worker in workerd, with wrangler watching its sources. */
export interface RunningWorker {
  /** Resolves with a sentence when it ends, wanted or not. */
  readonly ended: Promise<string>
  /** Every process of it. */
  processes(): ProcessMark[]
  stop(): Promise<void>
  /** Ends it at once. */
  kill(): void
}

/** A build of a large worker on a slow machine. */
const START_LIMIT = 120_000
const STOP_LIMIT = 4000

/**
 * Runs `wrangler dev` in a process group of its own and waits until the worker takes requests.
 * @throws {LocalError} with what wrangler had to say.
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { config, port, state, envFiles, vars } = options
  const child = spawn(
    process.execPath,
    [
      '--no-warnings',
      findWrangler(options.dir),
      'dev',
      `--config=${config}`,
      '--ip=127.0.0.1',
      `--port=${port}`,
      '--inspector-ip=127.0.0.1',
      '--inspector-port=0',
      `--persist-to=${join(state, 'worker')}`,
      '--show-interactive-dev-session=false',
      ...envFiles.map((file) => `--env-file=${file}`),
      ...Object.entries(vars).map(([name, value]) => `--var=${name}:${value}`),
    ],
    {
      cwd: options.dir,
      env: environment(options),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    },
  )
  if (child.pid !== undefined) options.started(child.pid)
  const group = child.pid ?? 0
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(`wrangler could not be started: ${error.message}`))
    child.on('exit', (code, by) => {
      // workerd outlives a wrangler that was killed.
      if (group > 0) signal(-group, 'SIGKILL')
      resolve(
        by === null
          ? `The worker's process ended with exit code ${code}.`
          : `The worker's process was ended by ${by}.`,
      )
    })
  })
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await Promise.race([ended, sleep(STOP_LIMIT, undefined, { ref: false })])
    }
    kill()
    await ended
  }
  const kill = (): void => {
    if (group > 0) signal(-group, 'SIGKILL')
  }
  try {
    await ready(child, options, ended)
  } catch (error) {
    await stop()
    throw error
  }
  return { ended, processes: () => groupOf(group), stop, kill }
}

function environment({ state, hide, vars }: WorkerOptions): NodeJS.ProcessEnv {
  const inherited = { ...process.env }
  for (const name of [...hide, ...Object.keys(vars)]) delete inherited[name]
  return {
    ...inherited,
    NODE_OPTIONS: `${inherited['NODE_OPTIONS'] ?? ''} --max-old-space-size=512`.trim(),
    NODE_COMPILE_CACHE: inherited['NODE_COMPILE_CACHE'] ?? join(state, 'compile-cache'),
    FORCE_COLOR: '0',
    CI: '1',
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_SEND_ERROR_REPORTS: 'false',
    WRANGLER_HIDE_BANNER: 'true',
    // A sample of `request.cf` would be fetched from the internet.
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    WRANGLER_LOG_PATH: join(state, 'wrangler-logs'),
    // Workers of other stacks are none of this one's business.
    WRANGLER_REGISTRY_PATH: join(state, 'wrangler-registry'),
    MINIFLARE_REGISTRY_PATH: join(state, 'wrangler-registry'),
  }
}

/** Waits for wrangler's word that the worker takes requests, or for the reason why it does not. */
function ready(child: ChildProcess, options: WorkerOptions, ended: Promise<string>): Promise<void> {
  return new Promise((resolve, reject) => {
    let settled = false
    const said: string[] = []
    let failing: NodeJS.Timeout | undefined
    const limit = setTimeout(() => fail('The worker did not start within two minutes.'), START_LIMIT)
    function fail(why: string): void {
      if (settled) return
      settle()
      reject(new LocalError([why, ...said.slice(-40)].join('\n')))
    }
    function settle(): void {
      settled = true
      clearTimeout(limit)
      clearTimeout(failing)
      options.signal?.removeEventListener('abort', onAbort)
    }
    const onAbort = (): void => fail('The start was called off.')
    options.signal?.addEventListener('abort', onAbort)
    if (options.signal?.aborted) onAbort()
    ended.then((why) => fail(`The worker did not start. ${why}`))

    const listen = (stream: NodeJS.ReadableStream | null): void => {
      let partial = ''
      stream?.setEncoding('utf8')
      stream?.on('data', (chunk: string) => {
        const read = workerLines(chunk, partial)
        partial = read.partial
        for (const line of read.lines) {
          if (settled) {
            options.log(line)
            continue
          }
          said.push(line)
          // wrangler would wait for the sources to change; what it says takes a moment to arrive whole.
          if (/\[ERROR\]/.test(line)) failing ??= setTimeout(() => fail('The worker did not start.'), 400)
        }
      })
    }
    listen(child.stdout)
    listen(child.stderr)
    child.on('message', (message) => {
      if (settled || !String(message).includes('DEV_SERVER_READY')) return
      settle()
      for (const line of said) options.log(line)
      resolve()
    })
  })
}

/** wrangler's program without its launcher, which would be one more process to keep in memory. */
function findWrangler(dir: string): string {
  for (const from of [join(dir, 'package.json'), import.meta.filename]) {
    try {
      const root = dirname(createRequire(from).resolve('wrangler/package.json'))
      const direct = join(root, 'wrangler-dist', 'cli.js')
      return existsSync(direct) ? direct : join(root, 'bin', 'wrangler.js')
    } catch {
      // The next place may have it.
    }
  }
  throw new LocalError('wrangler is not installed: run npm install --save-dev wrangler.')
}
