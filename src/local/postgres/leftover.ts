import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, PostgresStartError } from './errors.ts'

/** Whether a process of this id exists, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** The id in a server's lock file, or undefined when there is none. */
function lockedBy(data: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(data, 'postmaster.pid'), 'utf8'), 10)
    // A server that runs without its network notes its id as a negative number.
    return Number.isInteger(pid) && pid !== 0 ? Math.abs(pid) : undefined
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

interface Seen {
  readonly parent: number
  readonly command: string
}

function look(pid: number): Seen | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    // The second field may hold spaces and parentheses; the parent follows the last of them.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return { command, parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) }
  } catch {
    // No /proc here, or the process has just gone.
  }
  const ps = spawnSync('ps', ['-o', 'ppid=,command=', '-p', String(pid)], { encoding: 'utf8' })
  const match = /^\s*(\d+)\s+(.*)/.exec(ps.stdout ?? '')
  return match ? { parent: Number(match[1]), command: match[2] ?? '' } : undefined
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (codeOf(error) === 'EPERM') {
      throw new PostgresStartError(
        `A PostgreSQL that an earlier run left behind (process ${pid}) belongs to another user and cannot be stopped.`,
      )
    }
  }
}

async function gone(pid: number, milliseconds: number): Promise<boolean> {
  const until = Date.now() + milliseconds
  while (isAlive(pid)) {
    if (Date.now() > until) return false
    await sleep(20)
  }
  return true
}

function ownerFile(root: string): string {
  return join(root, 'owner.pid')
}

/** Notes who runs the server of this folder, so that a later start knows a server in use from one left behind. */
export function claim(root: string): void {
  writeFileSync(ownerFile(root), `${process.pid}\n`)
}

function ownerOf(root: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(ownerFile(root), 'utf8'), 10)
  } catch {
    return undefined
  }
}

/**
 * Puts right what a killed run left: a lock file whose process is dead, or that now names a process of another
 * kind, is removed; a server of this very folder that lost its owner is stopped.
 *
 * @throws PostgresStartError when the folder is in use by a live process
 */
export async function clearLeftovers(root: string, data: string, log: (line: string) => void): Promise<void> {
  const pid = lockedBy(data)
  if (pid === undefined) return
  const seen = isAlive(pid) ? look(pid) : undefined
  if (seen?.command.includes(data) !== true) {
    rmSync(join(data, 'postmaster.pid'), { force: true })
    return
  }
  const owner = ownerOf(root)
  if (owner !== undefined && seen.parent === owner && isAlive(owner)) {
    throw new PostgresStartError(
      owner === process.pid
        ? `PostgreSQL already runs on ${root} in this process.`
        : `Another process (${owner}) runs PostgreSQL on ${root}. Stop it, or use another state folder.`,
    )
  }
  log(`Stopping a PostgreSQL that an earlier run left behind (process ${pid})`)
  signal(pid, 'SIGINT')
  if (!(await gone(pid, 5000))) {
    signal(pid, 'SIGQUIT')
    if (!(await gone(pid, 5000))) {
      throw new PostgresStartError(
        `A PostgreSQL that an earlier run left behind (process ${pid}) cannot be stopped.`,
      )
    }
  }
  rmSync(join(data, 'postmaster.pid'), { force: true })
}
