import process from 'node:process'
import type { Local, LocalPorts } from '../local/dev/index.ts'
import { CommandFailed, type CommandInput, UsageError } from './command.ts'
import { type Display, openDisplay } from './dev-display.ts'
import { parsePort } from './parse.ts'

/** As it is typed. */
export const name = 'dev'

/** For the list of commands. */
export const summary = 'Run the worker on a local Postgres, Redis, Sentry and mailbox.'

/** For `breakwater help dev`. */
export const details = `Everything comes from npm: no account, no container. State is kept in .breakwater/ until --reset.
DATABASE_URL and REDIS_URL in the environment make it use those servers instead of its own.
Ports given as 0 take any free one.`

/** Flags. */
export const options = {
  port: { type: 'string', value: 'N', summary: 'Port of the worker (8787).' },
  'console-port': { type: 'string', value: 'N', summary: 'Port of the page that links everything (8700).' },
  'postgres-port': { type: 'string', value: 'N', summary: 'Port of Postgres (8701).' },
  'neon-port': { type: 'string', value: 'N', summary: 'Port of the Neon endpoint (8702).' },
  'upstash-port': { type: 'string', value: 'N', summary: 'Port of the Upstash endpoint (8703).' },
  'sentry-port': { type: 'string', value: 'N', summary: 'Port of the Sentry stand-in (8704).' },
  'mail-port': { type: 'string', value: 'N', summary: 'Port of the mailbox (8705).' },
  state: { type: 'string', value: 'DIR', summary: 'Folder that keeps the state (.breakwater).' },
  reset: { type: 'boolean', summary: 'Begin without the state of earlier runs.' },
  config: { type: 'string', short: 'c', value: 'FILE', summary: "Wrangler's configuration (wrangler.toml)." },
  'env-file': {
    type: 'string',
    multiple: true,
    value: 'FILE',
    summary: 'More variables for the worker; they win. May be given more than once.',
  },
  'no-worker': { type: 'boolean', summary: 'Everything but the worker.' },
  'no-migrations': { type: 'boolean', summary: 'Leave the database schema as it is.' },
  'no-crons': { type: 'boolean', summary: 'Do not fire cron triggers on their minutes.' },
} as const

/** Two signals that come closer than this are one Ctrl-C, told once by the terminal and once by npm. */
const SAME_SIGNAL = 500

/** Runs until a signal or until a part ends by itself. */
export async function run({ values }: CommandInput<typeof options>): Promise<number> {
  const began = performance.now()
  const { DEFAULT_PORTS, isForPeople, startLocal } = await import('../local/dev/index.ts')
  const ports: LocalPorts = {
    worker: parsePort('--port', values.port) ?? DEFAULT_PORTS.worker,
    console: parsePort('--console-port', values['console-port']) ?? DEFAULT_PORTS.console,
    postgres: parsePort('--postgres-port', values['postgres-port']) ?? DEFAULT_PORTS.postgres,
    neon: parsePort('--neon-port', values['neon-port']) ?? DEFAULT_PORTS.neon,
    upstash: parsePort('--upstash-port', values['upstash-port']) ?? DEFAULT_PORTS.upstash,
    sentry: parsePort('--sentry-port', values['sentry-port']) ?? DEFAULT_PORTS.sentry,
    mail: parsePort('--mail-port', values['mail-port']) ?? DEFAULT_PORTS.mail,
  }
  if (values['no-worker'] && values.config !== undefined)
    throw new UsageError('--config and --no-worker exclude each other.')
  const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl } = process.env
  const display = openDisplay(process.stdout)
  const calledOff = new AbortController()
  const ends = listenForTheEnd(calledOff, display)
  try {
    const local = await startLocal({
      ports,
      worker: !values['no-worker'],
      reset: values.reset ?? false,
      crons: !values['no-crons'],
      envFiles: values['env-file'] ?? [],
      signal: calledOff.signal,
      onProgress: display.progress,
      onLog: (part, line) => {
        if (part === 'worker') display.log(line)
      },
      ...(values.state !== undefined && { state: values.state }),
      ...(values.config !== undefined && { config: values.config }),
      ...(values['no-migrations'] && { migrations: false }),
      ...(databaseUrl && { databaseUrl }),
      ...(redisUrl && { redisUrl }),
    })
    ends.kill = local.kill
    display.ready(addresses(local), (performance.now() - began) / 1000)
    return await untilTheEnd(local, ends, display)
  } catch (error) {
    if (ends.code !== undefined) return ends.code
    throw isForPeople(error) ? new CommandFailed(error.message) : error
  } finally {
    display.close()
    ends.stopListening()
  }
}

function addresses(local: Local): [string, string][] {
  return [
    ...(local.worker === undefined ? [] : [['Worker', local.worker] as [string, string]]),
    ['Console', local.console],
    ['Mailbox', local.mail],
    ['Errors', local.sentry],
    ['Neon', local.neon],
    ['Upstash', local.upstash],
  ]
}

interface Ends {
  /** Resolves with the exit code when the end was asked for. */
  readonly asked: Promise<number>
  code: number | undefined
  kill: () => void
  stopListening(): void
}

/** What ends a run from outside: signals, a launcher that dies, a reader that goes away. */
function listenForTheEnd(calledOff: AbortController, display: Display): Ends {
  let resolve: (code: number) => void = () => {}
  let first = 0
  const ends: Ends = {
    asked: new Promise<number>((done) => {
      resolve = done
    }),
    code: undefined,
    kill: () => {},
    stopListening() {
      for (const [name, handler] of Object.entries(handlers)) process.off(name, handler)
      process.stdout.off('error', gone)
      clearInterval(orphan)
    },
  }
  const end = (code: number): void => {
    const again = ends.code !== undefined
    if (!again) {
      ends.code = code
      first = performance.now()
      display.closing()
      calledOff.abort()
      resolve(code)
    } else if (performance.now() - first > SAME_SIGNAL) {
      // Asked twice: at once. Watchdogs end what this process leaves.
      ends.kill()
      process.exit(code)
    }
  }
  const gone = (): void => end(1)
  const handlers: Record<string, () => void> = {
    SIGINT: () => end(130),
    SIGTERM: () => end(143),
    SIGHUP: () => end(129),
    // The channel to the launcher closes when that dies.
    disconnect: gone,
  }
  for (const [name, handler] of Object.entries(handlers)) process.on(name, handler)
  process.channel?.unref()
  process.stdout.on('error', gone)
  // npm that is killed takes nobody with it; the process id of our parent tells.
  const parent = process.ppid
  const orphan = setInterval(() => {
    if (process.env['npm_lifecycle_event'] !== undefined && process.ppid !== parent) gone()
  }, 1000)
  orphan.unref()
  return ends
}

async function untilTheEnd(local: Local, ends: Ends, display: Display): Promise<number> {
  const code = await Promise.race([
    ends.asked,
    local.failed.then((why) => {
      display.failed(`${why} Stopping the rest.`)
      return 1
    }),
  ])
  await local.stop()
  return code
}
