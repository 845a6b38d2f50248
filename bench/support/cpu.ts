import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

let ticks: number | undefined

/**
 * Seconds of CPU that a process has used, all its threads together; NaN where the system does not say. On a busy
 * machine this tells more than the rate: what waits for its turn uses none.
 */
export function cpuSeconds(pid: number): number {
  return inNanoseconds(pid) ?? inTicks(pid) ?? Number.NaN
}

/** By the scheduler's own account, where the system keeps one. */
function inNanoseconds(pid: number): number | undefined {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    return threads.reduce((sum, thread) => {
      const [spent] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
      return sum + Number(spent) / 1e9
    }, 0)
  } catch {
    return undefined
  }
}

/** To a hundredth of a second, usually. */
function inTicks(pid: number): number | undefined {
  try {
    ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
    // The process's name, in parentheses, may hold spaces; user and system time are 12 and 13 fields behind it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / ticks
  } catch {
    return undefined
  }
}
