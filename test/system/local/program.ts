import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')

/** The project that the tests run: a worker of a few lines. */
const tiny: string = join(root, 'test/fixtures/tiny')

/** Flags by which every part takes a free port. */
export const freePorts: readonly string[] = [
  '',
  'console-',
  'postgres-',
  'neon-',
  'upstash-',
  'sentry-',
  'mail-',
].flatMap((part) => [`--${part}port`, '0'])

/** A run of the command line. */
export interface Run {
  readonly child: ChildProcess
  readonly output: () => string
  /** Resolves once the output matches; rejects when the program ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>
}

/** Starts `breakwater` with these arguments. */
export function breakwater(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd: string = tiny): Run {
  const { DATABASE_URL: _, REDIS_URL: __, npm_lifecycle_event: ___, ...inherited } = process.env
  const child = spawn(process.execPath, [join(root, 'src/cli/main.ts'), ...args], {
    cwd,
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
      for (const listener of listeners) listener()
    })
  }
  // 'close' comes after the last of the output.
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal))
  })
  return {
    child,
    output: () => output,
    ended,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(output)
          if (!match) return
          listeners.delete(look)
          resolve(match)
        }
        listeners.add(look)
        look()
        ended.then((how) => reject(new Error(`Ended with ${how} before it said ${pattern}:\n${output}`)))
      }),
  }
}

/** An address that a ready stack has told. */
export function address(run: Run, name: string): string {
  const url = new RegExp(`^  ${name} +(http\\S+)$`, 'm').exec(run.output())?.[1]
  if (url === undefined) throw new Error(`No address of ${name} in:\n${run.output()}`)
  return url
}

/** Command lines of living processes that hold a text: a state folder's path finds all that belongs to it. */
export function processesWith(text: string): string[] {
  if (process.platform !== 'linux') {
    const { stdout } = spawnSync('ps', ['-A', '-o', 'command='], { encoding: 'utf8' })
    return stdout.split('\n').filter((line) => line.includes(text))
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return line.includes(text) ? [`${pid} ${line}`] : []
      } catch {
        return []
      }
    })
}

/** Processes whose group is led by one of these: workerd names no folder of ours on its command line. */
export function membersOf(groups: readonly number[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return state !== 'Z' && groups.includes(Number(group))
      } catch {
        return false
      }
    })
}

/** Waits until a condition holds, for at most 15 seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const limit = Date.now() + 15_000
  while (!(await condition())) {
    if (Date.now() > limit) throw new Error('It did not come to pass within 15 seconds')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
