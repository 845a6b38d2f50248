import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, runAs } from './account.ts'
import type { Binaries } from './binaries.ts'
import { explainFailure } from './cluster.ts'
import { serverFlags } from './settings.ts'

/** A running server. */
export interface ServerProcess {
  /** Settles when the server has ended, wanted or not. */
  readonly ended: Promise<void>
  /** Fast shutdown; after five seconds an immediate one. */
  stop(): Promise<void>
}

/** How starting failed, where the starter can do something about it. */
export type StartTrouble = 'port-taken' | 'still-closing'

export interface ServerOptions {
  readonly root: string
  readonly data: string
  readonly port: number
  readonly durable: boolean
  readonly settings?: Readonly<Record<string, string>> | undefined
  readonly binaries: Binaries
  readonly account: Account | undefined
  readonly log: (line: string) => void
}

/**
 * Waits until its standard input ends, which the kernel sees to however its parent dies, then stops the server.
 * A shell costs a megabyte; the lock file tells whether the process id still is the server's.
 */
const WATCHDOG = `
read -r _
left=50
while read -r pid < "$2" 2>/dev/null && [ "$pid" = "$1" ]; do
  if [ $left -eq 50 ]; then kill -INT "$1" 2>/dev/null || exit 0; fi
  if [ $left -eq 0 ]; then kill -QUIT "$1" 2>/dev/null; exit 0; fi
  left=$((left - 1))
  sleep 0.1
done
`

function watch(pid: number, options: ServerOptions): ChildProcess | undefined {
  // Windows has no such shell: there the next start stops what was left behind.
  if (process.platform === 'win32') return undefined
  const lock = join(options.data, 'postmaster.pid')
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'sh', String(pid), lock], {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    ...(options.account && { uid: options.account.uid, gid: options.account.gid }),
  })
  watchdog.on('error', (error) => options.log(`PostgreSQL is not watched: ${error.message}`))
  watchdog.unref()
  ;(watchdog.stdin as (NodeJS.WritableStream & { unref?(): void }) | null)?.unref?.()
  return watchdog
}

/** Starts the server and waits until it takes connections. */
export async function runServer(options: ServerOptions): Promise<ServerProcess | StartTrouble> {
  const { binaries, account, data, port, log } = options
  const flags = ['-D', data, ...serverFlags(port, options.durable, options.settings)]
  const { command, args, ...user } = runAs(account, binaries.postgres, flags)
  const child = spawn(command, args, {
    cwd: data,
    env: { PATH: process.env['PATH'] ?? '', TZ: 'UTC', LC_ALL: 'C', ...binaries.env },
    stdio: ['ignore', 'ignore', 'pipe'],
    // Its own process group: Ctrl-C at the terminal is for us, who stop things in their order.
    detached: true,
    ...user,
  })
  let tail = ''
  let partial = ''
  let ready = (): void => {}
  const started = new Promise<void>((resolve) => {
    ready = resolve
  })
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (chunk: string) => {
    tail = (tail + chunk).slice(-8000)
    const lines = (partial + chunk).split('\n')
    partial = lines.pop() ?? ''
    for (const line of lines) {
      if (line.includes('database system is ready to accept connections')) ready()
      log(line)
    }
  })
  let spawnError: Error | undefined
  const ended = new Promise<void>((resolve) => {
    child.on('error', (error) => {
      spawnError = error
      resolve()
    })
    child.on('close', () => resolve())
  })
  const watchdog = child.pid === undefined ? undefined : watch(child.pid, options)
  ended.then(() => watchdog?.kill('SIGKILL'))

  const first = await Promise.race([started.then(() => 'ready'), ended.then(() => 'ended')])
  if (first === 'ended') {
    if (/Address already in use|could not create any TCP\/IP sockets|Only one usage of each/.test(tail)) {
      return 'port-taken'
    }
    if (/pre-existing shared memory block|is still in use|the database system is shutting down/.test(tail)) {
      return 'still-closing'
    }
    throw explainFailure('PostgreSQL did not start', spawnError?.message ?? tail, options.root)
  }
  // The server must not keep a program alive that has nothing else to do.
  child.unref()
  ;(child.stderr as unknown as { unref?(): void }).unref?.()

  let stopping: Promise<void> | undefined
  async function stop(): Promise<void> {
    child.ref()
    child.kill('SIGINT')
    const patience = new AbortController()
    const late = sleep(5000, 'late', { signal: patience.signal }).catch(() => 'over')
    if ((await Promise.race([ended.then(() => 'ended'), late])) === 'late') child.kill('SIGQUIT')
    await ended
    patience.abort()
  }
  return {
    ended,
    stop: () => {
      stopping ??= child.exitCode !== null || child.signalCode !== null ? ended : stop()
      return stopping
    },
  }
}
