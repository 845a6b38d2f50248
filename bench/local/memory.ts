import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'

/** Memory of a process and all its descendants. */
export interface Resident {
  readonly megabytes: number
  /** PSS counts a page shared by n processes as an nth of it in each; RSS counts it n times. */
  readonly kind: 'PSS' | 'RSS'
  readonly processes: readonly { readonly command: string; readonly megabytes: number }[]
}

/** Sums up the memory of a process tree: PSS where the system tells it, RSS elsewhere. */
export function residentOf(root: number): Resident {
  const all = process.platform === 'linux' ? fromProc() : fromPs()
  const tree = new Set([root])
  for (let before = 0; before !== tree.size; ) {
    before = tree.size
    for (const { pid, parent } of all) if (tree.has(parent)) tree.add(pid)
  }
  const processes = all
    .filter(({ pid }) => tree.has(pid))
    .map(({ command, kilobytes }) => ({ command, megabytes: Math.round(kilobytes / 1024) }))
  const kilobytes = all.filter(({ pid }) => tree.has(pid)).reduce((sum, one) => sum + one.kilobytes, 0)
  return {
    megabytes: Math.round(kilobytes / 1024),
    kind: process.platform === 'linux' ? 'PSS' : 'RSS',
    processes,
  }
}

interface Seen {
  readonly pid: number
  readonly parent: number
  readonly command: string
  readonly kilobytes: number
}

function fromProc(): Seen[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
        const command = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
        const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${name}/smaps_rollup`, 'utf8'))?.[1]
        return [{ pid: Number(name), parent, command, kilobytes: Number(pss ?? 0) }]
      } catch {
        // Gone meanwhile, or the kernel's own.
        return []
      }
    })
}

function fromPs(): Seen[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,rss=,comm='], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => {
      const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line)
      if (!match) return []
      const [, pid, parent, kilobytes, command = ''] = match
      return [{ pid: Number(pid), parent: Number(parent), command, kilobytes: Number(kilobytes) }]
    })
}
