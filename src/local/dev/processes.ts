import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from './errors.ts'

/** A process that cannot be confused with a later one of the same number. */
export interface ProcessMark {
  readonly pid: number
  /** When it began, in whatever form the system tells it. */
  readonly started: string
}

/** The mark of a process that is running now. */
export function markOf(pid: number): ProcessMark | undefined {
  if (process.platform === 'linux') {
    const fields = statOf(pid)
    // A zombie has ended; only its parent has not yet looked.
    return fields === undefined || fields[0] === 'Z'
      ? undefined
      : { pid, started: `${bootId()}/${fields[19]}` }
  }
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
  const started = (stdout ?? '').trim()
  return started === '' ? undefined : { pid, started }
}

/** Whether the very process is still running. */
export function isRunning(mark: ProcessMark): boolean {
  return markOf(mark.pid)?.started === mark.started
}

/** The processes of a group. */
export function groupOf(leader: number): ProcessMark[] {
  return pidsOfGroup(leader).flatMap((pid) => markOf(pid) ?? [])
}

function pidsOfGroup(leader: number): number[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && statOf(Number(name))?.[2] === String(leader))
      .map(Number)
  }
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,pgid='], { encoding: 'utf8' })
  return (stdout ?? '').split('\n').flatMap((line) => {
    const [pid, group] = line.trim().split(/\s+/)
    return group === String(leader) ? Number(pid) : []
  })
}

/** Ends processes: asks first, insists after `patience` milliseconds. */
export async function endAll(marks: readonly ProcessMark[], patience = 3000): Promise<void> {
  for (const mark of marks) if (isRunning(mark)) signal(mark.pid, 'SIGTERM')
  const until = Date.now() + patience
  while (marks.some(isRunning) && Date.now() < until) await sleep(25)
  for (const mark of marks) if (isRunning(mark)) signal(mark.pid, 'SIGKILL')
  while (marks.some(isRunning) && Date.now() < until + 1000) await sleep(25)
}

/** Signals a process, or with a negative number a group; one that is gone is no trouble. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (codeOf(error) !== 'ESRCH' && codeOf(error) !== 'EPERM') throw error
  }
}

/** Fields of /proc/<pid>/stat from the state on; the name before it may hold anything. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

let boot: string | undefined

function bootId(): string {
  try {
    boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    boot ??= 'unknown'
  }
  return boot
}
