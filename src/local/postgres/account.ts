import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { PostgresStartError } from './errors.ts'

/** Who Postgres runs as, when that is not simply the user we are. */
export interface Account {
  readonly name: string
  /** Owns the files. */
  readonly uid: number
  readonly gid: number
  /** Words before each command, for a process that only believes to be somebody else. */
  readonly wrapper?: readonly string[]
}

/** A command as `account` runs it. */
export function runAs(
  account: Account | undefined,
  program: string,
  args: readonly string[],
): {
  readonly command: string
  readonly args: readonly string[]
  readonly uid?: number
  readonly gid?: number
} {
  if (account === undefined) return { command: program, args }
  const [command, ...words] = [...(account.wrapper ?? []), program, ...args]
  return { command: command ?? program, args: words, uid: account.uid, gid: account.gid }
}

const CANDIDATES = ['postgres', 'nobody', 'daemon']

function users(): Account[] {
  let text = ''
  try {
    text = readFileSync('/etc/passwd', 'utf8')
  } catch {
    return []
  }
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = ''] = line.split(':')
    return /^\d+$/.test(uid) && /^\d+$/.test(gid) ? [{ name, uid: Number(uid), gid: Number(gid) }] : []
  })
}

/** Whether `account` may pass through a folder on the way to what is inside. */
function mayEnter(account: Account, folder: string): boolean {
  const { mode, uid, gid } = statSync(folder)
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
  return (mode & bit) !== 0
}

function firstClosed(account: Account, path: string): string | undefined {
  const folders: string[] = []
  for (let at = resolve(path); ; at = dirname(at)) {
    folders.unshift(at)
    if (at === dirname(at)) break
  }
  return folders.find((folder) => !mayEnter(account, folder))
}

/**
 * Root as seen through a user namespace, where it bears another user's number: Postgres is content, and the kernel
 * still lets it reach root's own files. Undefined where the system has no such thing.
 */
function disguised(account: Account, program: string): Account | undefined {
  const wrapper = ['unshare', '--user', `--map-user=${account.uid}`, `--map-group=${account.gid}`, '--']
  const [command = '', ...args] = [...wrapper, program, '--version']
  const probe = spawnSync(command, args, { cwd: '/', stdio: 'ignore' })
  return probe.status === 0 ? { name: 'root', uid: 0, gid: 0, wrapper } : undefined
}

/**
 * Postgres refuses to run as root. As root, picks the system user it shall run as: the owner of an existing data
 * folder, else the first of `postgres`, `nobody` and `daemon` there is; and where that user may not go, as in
 * `/root`, root in disguise. As anyone else: undefined.
 *
 * @param owner the user id that owns an existing data folder
 * @param program a program that the user must be able to run
 * @param folder an existing folder that the user must be able to reach
 * @throws PostgresStartError when there is no such user, or it cannot get where it must
 */
export function chooseAccount(
  owner: number | undefined,
  program: string,
  folder: string,
): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const known = users()
  const account =
    (owner !== undefined && owner !== 0 ? known.find((user) => user.uid === owner) : undefined) ??
    CANDIDATES.map((name) => known.find((user) => user.name === name && user.uid !== 0)).find(
      (user) => user !== undefined,
    )
  if (account === undefined) {
    throw new PostgresStartError(
      'PostgreSQL refuses to run as root, and this system has none of the users postgres, nobody and daemon. ' +
        'Run as an ordinary user, or add one: useradd --system postgres',
    )
  }
  for (const path of [dirname(program), folder]) {
    const closed = firstClosed(account, path)
    if (closed !== undefined) {
      const instead = disguised(account, program)
      if (instead !== undefined) return instead
      throw new PostgresStartError(
        `PostgreSQL refuses to run as root, so it runs as the user ${account.name}, who may not enter ${closed}. ` +
          `Run as an ordinary user, or allow it: chmod o+x ${closed}`,
      )
    }
  }
  const probe = spawnSync(program, ['--version'], { uid: account.uid, gid: account.gid, cwd: '/' })
  if (probe.error !== undefined) {
    throw new PostgresStartError(
      `PostgreSQL refuses to run as root, and the user ${account.name} may not run ${program} ` +
        `(${probe.error.message}). Run as an ordinary user.`,
    )
  }
  return account
}
