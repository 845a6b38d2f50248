import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { createConsoleApp } from '../console/index.ts'
import { createMailboxApp } from '../mailbox/index.ts'
import { createNeonApp } from '../neon/index.ts'
import {
  type LocalPostgres,
  MigrationError,
  migrate,
  PostgresStartError,
  startPostgres,
} from '../postgres/index.ts'
import { createSentryApp } from '../sentry/index.ts'
import { PortTaken, type StandIn, type StandInApp, serveStandIn } from '../server.ts'
import { createUpstashApp } from '../upstash/index.ts'
import { startCrons } from './cron.ts'
import { explain, LocalError } from './errors.ts'
import { checkDatabase, isLocal, redisApp } from './external.ts'
import type { Local, LocalOptions, LocalPart, Progress } from './options.ts'
import { checkPorts, freePort, type LocalPorts, portTaken } from './ports.ts'
import { bucketVars, cronsOf, findConfig } from './project.ts'
import { type LocalSecrets, localSecrets } from './secrets.ts'
import { type StateFolder, takeState } from './state.ts'
import { workerVars, writeEnvFile } from './vars.ts'
import { startWatchdog, type Watchdog } from './watchdog.ts'
import { type RunningWorker, startWorker } from './wrangler.ts'

const ANY_PORT: LocalPorts = { worker: 0, console: 0, postgres: 0, neon: 0, upstash: 0, sentry: 0, mail: 0 }

/**
 * Starts a real Postgres, the stand-ins for Neon, Upstash, Sentry and a mail provider, a console page, and the
 * worker on top of them. State is kept in a folder that one stack uses at a time.
 * Nothing is left running when this process dies, however it dies.
 *
 * @throws LocalError, PostgresStartError or MigrationError, each with a sentence that says what to do
 */
export async function startLocal(options: LocalOptions = {}): Promise<Local> {
  const dir = resolve(options.dir ?? process.cwd())
  const ports = { ...ANY_PORT, ...options.ports }
  const config = options.worker === false ? undefined : findConfig(dir, options.config)
  const parts = (Object.keys(ANY_PORT) as LocalPart[]).filter(
    (part) => (part !== 'worker' || config) && (part !== 'postgres' || options.databaseUrl === undefined),
  )
  await checkPorts(ports, parts)
  const state = await takeState(options.state ?? join(dir, '.breakwater'), options.reset ?? false)
  const stack = new Stack(options, ports, state, dir)
  try {
    return await stack.start(config)
  } catch (error) {
    await stack.stop()
    throw explain(error, `The local stack cannot write to ${state.path}`)
  }
}

/** What has been started, and how it is ended. */
class Stack {
  readonly #options: LocalOptions
  readonly #ports: LocalPorts
  readonly #state: StateFolder
  readonly #dir: string
  readonly #secrets: LocalSecrets
  readonly #standIns = new Map<LocalPart, StandIn>()
  #postgres: LocalPostgres | undefined
  #worker: RunningWorker | undefined
  #watchdog: Watchdog | undefined
  #stopCrons = (): void => {}
  #stopping: Promise<void> | undefined
  #fail: (why: string) => void = () => {}
  readonly #failed: Promise<string>

  constructor(options: LocalOptions, ports: LocalPorts, state: StateFolder, dir: string) {
    this.#options = options
    this.#ports = ports
    this.#state = state
    this.#dir = dir
    this.#secrets = localSecrets(state.at('secrets.json'))
    this.#failed = new Promise((resolve) => {
      this.#fail = (why) => {
        if (this.#stopping === undefined) resolve(why)
      }
    })
  }

  async start(config: string | undefined): Promise<Local> {
    const { redisUrl } = this.#options
    const token = this.#secrets.upstashToken
    // All settle before anything is stopped, so that nothing starts behind stop's back.
    const [database, upstash, sentry, mail] = await together([
      this.#database(),
      this.#serve('upstash', () =>
        redisUrl === undefined
          ? createUpstashApp({ token, statePath: this.#state.at('upstash.json') })
          : redisApp(redisUrl, token),
      ),
      this.#serve('sentry', () =>
        createSentryApp({
          file: this.#state.at('sentry.ndjson'),
          artifacts: this.#state.at('sentry-artifacts'),
          sources: this.#dir,
        }),
      ),
      this.#serve('mail', () => createMailboxApp({ file: this.#state.at('mail.ndjson') })),
    ])
    this.#options.signal?.throwIfAborted()
    const neon = await this.#serve('neon', () => createNeonApp({ connect: database }))
    const port = config === undefined ? 0 : this.#ports.worker || (await freePort())
    // The name, because cookies, passkeys and secure contexts are for names.
    const origin = `http://localhost:${port}`
    const { plain, secret } = workerVars(
      {
        worker: origin,
        database,
        neon: neon.url,
        upstash: upstash.url,
        sentry: sentry.url,
        mail: mail.url,
      },
      this.#secrets,
    )
    const bucket = config === undefined ? {} : bucketVars(config, origin)
    const vars = { ...plain, ...bucket, ...this.#options.vars }
    const envFile = this.#state.at('worker.env')
    writeEnvFile(envFile, { ...vars, ...secret })
    await together([
      this.#migrate(database),
      ...(config === undefined ? [] : [this.#runWorker(config, port, envFile, vars, Object.keys(secret))]),
    ])
    const page = await this.#serve('console', () =>
      createConsoleApp({
        worker: config === undefined ? undefined : origin,
        crons: config === undefined ? [] : cronsOf(config),
        postgres: { url: database, comesAlong: this.#postgres !== undefined },
        state: this.#state.path,
        standIns: [neon, upstash, sentry, mail],
      }),
    )
    if (config !== undefined && this.#options.crons !== false) this.#fireCrons(config, origin)
    return {
      worker: config === undefined ? undefined : origin,
      console: page.url,
      postgres: database,
      neon: neon.url,
      upstash: upstash.url,
      sentry: sentry.url,
      mail: mail.url,
      vars: { ...vars, ...secret },
      state: this.#state.path,
      failed: this.#failed,
      stop: () => this.stop(),
      kill: () => this.kill(),
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  kill(): void {
    this.#worker?.kill()
    this.#state.release()
  }

  async #stop(): Promise<void> {
    this.#stopCrons()
    await this.#worker?.stop()
    await Promise.all([...this.#standIns.values()].map((standIn) => standIn.stop()))
    await this.#postgres?.stop()
    this.#watchdog?.dismiss()
    this.#state.release()
  }

  #tell(part: Progress['part'], state: Progress['state'], detail?: string): void {
    this.#options.onProgress?.({ part, state, ...(detail !== undefined && { detail }) })
  }

  async #step<T>(part: Progress['part'], work: () => Promise<T>, detail: (value: T) => string): Promise<T> {
    this.#tell(part, 'starting')
    try {
      const value = await work()
      this.#tell(part, 'ready', detail(value))
      return value
    } catch (error) {
      this.#tell(part, 'failed')
      throw error
    }
  }

  #serve(part: LocalPart, make: () => StandInApp | Promise<StandInApp>): Promise<StandIn> {
    return this.#step(
      part,
      async () => {
        try {
          const standIn = await serveStandIn(await make(), { port: this.#ports[part] })
          this.#standIns.set(part, standIn)
          return standIn
        } catch (error) {
          throw error instanceof PortTaken ? portTaken(part, error.port) : error
        }
      },
      (standIn) => standIn.url,
    )
  }

  async #database(): Promise<string> {
    const { databaseUrl, onLog } = this.#options
    if (databaseUrl !== undefined) {
      await this.#step(
        'postgres',
        () => checkDatabase(databaseUrl),
        () => `${new URL(databaseUrl).host}, from DATABASE_URL`,
      )
      return databaseUrl
    }
    const { url } = await this.#step(
      'postgres',
      async () => {
        const postgres = await startPostgres({
          dataDir: this.#state.at('postgres'),
          port: this.#ports.postgres,
          log: (line) => onLog?.('postgres', line),
        })
        this.#postgres = postgres
        postgres.ended.then(() => this.#fail('Postgres has ended.'))
        return postgres
      },
      ({ port }) => `127.0.0.1:${port}`,
    )
    return url
  }

  async #migrate(database: string): Promise<void> {
    const { migrations = join(this.#dir, 'drizzle') } = this.#options
    if (migrations === false) return
    if (!existsSync(join(migrations, 'meta', '_journal.json'))) {
      if (this.#options.migrations !== undefined) throw new LocalError(`${migrations} holds no migrations.`)
      return
    }
    // Nobody wants a shell variable to decide which distant schema changes.
    if (!isLocal(database)) {
      this.#tell('migrations', 'ready', 'left alone: DATABASE_URL is not on this machine')
      return
    }
    await this.#step(
      'migrations',
      () => migrate({ url: database, folder: migrations }).catch((error) => this.#suggestReset(error)),
      ({ applied, total }) => (applied === 0 ? `${total}, none new` : `${applied} applied`),
    )
  }

  #suggestReset(error: unknown): never {
    if (!(error instanceof MigrationError) || this.#postgres === undefined) throw error
    throw new LocalError(`${error.message} If the local data may go, start once with --reset.`)
  }

  async #runWorker(
    config: string,
    port: number,
    envFile: string,
    vars: Readonly<Record<string, string>>,
    hide: readonly string[],
  ): Promise<void> {
    const { envFiles = [], onLog, signal } = this.#options
    const own = join(this.#dir, '.dev.vars')
    this.#watchdog = startWatchdog()
    await this.#step(
      'worker',
      async () => {
        const worker = await startWorker({
          dir: this.#dir,
          config,
          port,
          state: this.#state.path,
          // wrangler reads .dev.vars only when nothing else is named; what the stack decides comes after it.
          envFiles: [
            ...(existsSync(own) ? [own] : []),
            envFile,
            ...envFiles.map((file) => resolve(this.#dir, file)),
          ],
          vars,
          hide,
          log: (line) => onLog?.('worker', line),
          started: (group) => this.#watchdog?.watch(group),
          signal,
        })
        this.#worker = worker
        this.#state.note(worker.processes())
        worker.ended.then((why) => this.#fail(why))
      },
      () => `http://localhost:${port}`,
    )
  }

  #fireCrons(config: string, origin: string): void {
    const { onLog } = this.#options
    this.#stopCrons = startCrons(cronsOf(config), (expression, time) => {
      const url = new URL('/cdn-cgi/handler/scheduled', origin)
      url.searchParams.set('cron', expression)
      url.searchParams.set('time', String(time.getTime()))
      fetch(url, { signal: AbortSignal.timeout(55_000) }).then(
        (response) => response.body?.cancel(),
        (error) => onLog?.('worker', `cron ${expression} could not be fired: ${String(error)}`),
      )
    })
  }
}

/** Waits for all, then fails with the first that failed: a sentence for people before anything else. */
async function together<const T extends readonly Promise<unknown>[]>(
  promises: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const results = await Promise.allSettled(promises)
  const reasons = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  )
  if (reasons.length > 0) throw reasons.find(isForPeople) ?? reasons[0]
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as {
    -readonly [K in keyof T]: Awaited<T[K]>
  }
}

/** Whether an error's message is all there is to say. */
export function isForPeople(error: unknown): error is Error {
  return error instanceof LocalError || error instanceof PostgresStartError || error instanceof MigrationError
}
