import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, runAs } from './account.ts'
import { type Binaries, MAJOR } from './binaries.ts'
import { codeOf, PostgresStartError } from './errors.ts'
import { isAlive } from './leftover.ts'

/** The two logins of the local server. */
export interface Passwords {
  /** Of the superuser `postgres`. */
  readonly superuser: string
  /** Of the role `breakwater`, which owns the database and is no superuser, as on Neon. */
  readonly owner: string
}

/** Where a state folder keeps what. */
export interface Paths {
  readonly root: string
  readonly data: string
  readonly passwords: string
  readonly lib: string
}

export function pathsOf(root: string): Paths {
  return {
    root,
    data: join(root, 'data'),
    passwords: join(root, 'passwords.json'),
    lib: join(root, 'lib'),
  }
}

interface Finished {
  readonly code: number | null
  readonly output: string
}

function finished(child: ChildProcess, input?: string): Promise<Finished> {
  return new Promise((resolve, reject) => {
    let output = ''
    const take = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-8000)
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}

function run(
  program: string,
  args: readonly string[],
  binaries: Binaries,
  account: Account | undefined,
  input?: string,
): Promise<Finished> {
  const { command, args: words, ...user } = runAs(account, program, args)
  const child = spawn(command, words, {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '', TZ: 'UTC', LC_ALL: 'C', ...binaries.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...user,
  })
  return finished(child, input)
}

function outOfSpace(text: string): boolean {
  return /No space left on device|ENOSPC|Disk quota exceeded/.test(text)
}

/** A program's failure, as a sentence. */
export function explainFailure(what: string, output: string, root: string): PostgresStartError {
  if (outOfSpace(output)) {
    return new PostgresStartError(
      `The disk that holds ${root} is full, so ${what}. Make room and start again.`,
    )
  }
  if (/error while loading shared libraries|not found \(required by|Library not loaded/.test(output)) {
    return new PostgresStartError(
      `${what}: PostgreSQL's programs do not find their libraries here (they want glibc): ${lastLines(output)}`,
    )
  }
  const damaged = /could not (find the database system|open file|read|locate)|checkpoint record|PANIC|corrupt/
  const hint = damaged.test(output) ? ` ${root} looks damaged: start anew with --reset.` : ''
  return new PostgresStartError(`${what}: ${lastLines(output) || 'it ended without a word'}.${hint}`)
}

/** What matters of a server's last words. */
function lastLines(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const grave = lines.filter((line) => /FATAL|PANIC|ERROR|error:/.test(line))
  return (grave.length > 0 ? grave : lines)
    .slice(-3)
    .map((line) => line.replace(/^.*?(FATAL|PANIC|ERROR):\s+/, ''))
    .join('; ')
}

/** Reads the passwords beside the data, or undefined when they are lost. */
export function readPasswords(paths: Paths): Passwords | undefined {
  try {
    const read = JSON.parse(readFileSync(paths.passwords, 'utf8')) as Partial<Passwords>
    return typeof read.superuser === 'string' && typeof read.owner === 'string'
      ? { superuser: read.superuser, owner: read.owner }
      : undefined
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

function writePasswords(paths: Paths, passwords: Passwords): void {
  const temporary = `${paths.passwords}.new`
  writeFileSync(temporary, `${JSON.stringify(passwords)}\n`, { mode: 0o600 })
  chmodSync(temporary, 0o600)
  renameSync(temporary, paths.passwords)
}

function newPassword(): string {
  return randomBytes(24).toString('base64url')
}

/** SQL for a server that runs without its network, one statement a line. Every word is ours: nothing to escape. */
async function single(
  statements: readonly string[],
  data: string,
  binaries: Binaries,
  account: Account | undefined,
  sync = true,
): Promise<Finished> {
  const flags = ['-c', 'shared_preload_libraries=pg_stat_statements', '-c', 'io_method=sync']
  if (!sync) flags.push('-c', 'fsync=off')
  const args = ['--single', '-D', data, '-c', 'log_checkpoints=off', ...flags, 'template1']
  const done = await run(binaries.postgres, args, binaries, account, `${statements.join('\n')}\n`)
  // In this mode a failed statement leaves the exit code at 0.
  return /\b(ERROR|FATAL|PANIC):/.test(done.output) ? { ...done, code: done.code || 1 } : done
}

const SETTING_UP = 'a database could not be set up'

/**
 * Makes a new data folder: superuser, owner role, database and extensions included. Everything happens in a folder
 * of another name, and the last step is its renaming, so that an interrupted one never counts.
 */
export async function createCluster(
  paths: Paths,
  binaries: Binaries,
  account: Account | undefined,
): Promise<Passwords> {
  const passwords = { superuser: newPassword(), owner: newPassword() }
  const temporary = join(paths.root, `making-${process.pid}-${randomBytes(4).toString('hex')}`)
  const data = join(temporary, 'data')
  const file = join(temporary, 'password')
  try {
    mkdirSync(temporary, { mode: 0o700 })
    writeFileSync(file, passwords.superuser, { mode: 0o600 })
    if (account !== undefined) {
      for (const path of [temporary, file]) chownSync(path, account.uid, account.gid)
    }
    const made = await run(
      binaries.initdb,
      [
        ...['-D', data, '-U', 'postgres', '--pwfile', file, '--auth=scram-sha-256', '--encoding=UTF8'],
        // The same order of text on every machine, as on Neon.
        ...['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
        // The server that follows at once syncs what it writes; what initdb wrote can be made again.
        ...['--no-sync', '--no-instructions', '--wal-segsize=4'],
        ...['-c', 'shared_buffers=32MB', '-c', 'io_method=sync', '-c', 'max_connections=50'],
      ],
      binaries,
      account,
    )
    if (made.code !== 0) throw explainFailure(SETTING_UP, made.output, paths.root)
    const filled = await single(
      [
        'CREATE EXTENSION pg_stat_statements;',
        `CREATE ROLE breakwater LOGIN CREATEDB CREATEROLE BYPASSRLS PASSWORD '${passwords.owner}' IN ROLE pg_monitor, pg_signal_backend, pg_read_all_data, pg_write_all_data;`,
        'CREATE DATABASE breakwater OWNER breakwater;',
      ],
      data,
      binaries,
      account,
      false,
    )
    if (filled.code !== 0) throw explainFailure(SETTING_UP, filled.output, paths.root)
    // In this order: a folder without passwords can be helped, passwords of another folder cannot.
    renameSync(data, paths.data)
    writePasswords(paths, passwords)
    return passwords
  } catch (error) {
    if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST') {
      throw new PostgresStartError(`Another process is setting up a database in ${paths.root} right now.`)
    }
    if (outOfSpace(String(error)) && !(error instanceof PostgresStartError)) {
      throw explainFailure(SETTING_UP, String(error), paths.root)
    }
    throw error
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** Gives both logins new passwords, for a folder whose password file was lost. The server must be down. */
export async function renewPasswords(
  paths: Paths,
  binaries: Binaries,
  account: Account | undefined,
): Promise<Passwords> {
  const passwords = { superuser: newPassword(), owner: newPassword() }
  const done = await single(
    [
      `ALTER ROLE postgres PASSWORD '${passwords.superuser}';`,
      `ALTER ROLE breakwater PASSWORD '${passwords.owner}';`,
    ],
    paths.data,
    binaries,
    account,
  )
  if (done.code !== 0) throw explainFailure('lost passwords could not be renewed', done.output, paths.root)
  writePasswords(paths, passwords)
  return passwords
}

/** Removes what interrupted beginnings left. Their programs may be writing for another moment. */
export async function removeHalfMade(paths: Paths): Promise<void> {
  for (const name of readdirSync(paths.root)) {
    const pid = /^making-(\d+)-/.exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    const path = join(paths.root, name)
    for (let left = 10; left > 0 && existsSync(path); left--) {
      try {
        rmSync(path, { recursive: true, force: true })
      } catch (error) {
        if (codeOf(error) !== 'ENOTEMPTY') throw error
      }
      if (existsSync(path)) await sleep(100)
    }
  }
}

/**
 * Whether there is a data folder to open.
 * @throws PostgresStartError when there is something else in its place
 */
export function hasCluster(paths: Paths): boolean {
  if (!existsSync(paths.data)) return false
  let version = ''
  try {
    version = readFileSync(join(paths.data, 'PG_VERSION'), 'utf8').trim()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  if (version === String(MAJOR)) return true
  const found = version === '' ? 'it has no PG_VERSION' : `it is of version ${version}`
  throw new PostgresStartError(
    `${paths.data} is no data folder of PostgreSQL ${MAJOR}: ${found}. ` +
      'Move it away to keep it, or start anew with --reset.',
  )
}
