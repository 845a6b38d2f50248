import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, explain, LocalError } from './errors.ts'
import { endAll, isRunning, markOf, type ProcessMark } from './processes.ts'

/** Says that a folder is ours: nothing else is ever deleted. */
const MARKER = 'breakwater-state.json'
const LOCK = 'run.json'
/** An empty database, a build of the worker, and something to work with. */
const LEAST_FREE = 150 * 1024 * 1024

/** Who uses a state folder, and what it has started. */
interface Run {
  readonly owner: ProcessMark
  readonly children: readonly ProcessMark[]
}

/** A state folder that is held by this process. */
export interface StateFolder {
  readonly path: string
  /** Whether an earlier run had left state here. */
  readonly fresh: boolean
  /** The path of something in it. */
  at(...names: string[]): string
  /** Notes processes to be ended by the next run, should this one not come to it. */
  note(children: readonly ProcessMark[]): void
  release(): void
}

/**
 * Takes a state folder for this process: makes it when it is missing, refuses one that is not ours or is in use,
 * ends what a killed run has left behind, and empties it when `reset` is asked for.
 * @throws {LocalError}
 */
export async function takeState(folder: string, reset: boolean): Promise<StateFolder> {
  const path = resolve(folder)
  try {
    prepare(path)
    await lock(path)
  } catch (error) {
    throw explain(error, `The state folder ${path} cannot be used`)
  }
  const release = (): void => rmSync(join(path, LOCK), { force: true })
  try {
    if (reset) empty(path)
    checkSpace(path)
    const fresh = !existsSync(join(path, 'postgres')) && !existsSync(join(path, 'secrets.json'))
    return {
      path,
      fresh,
      at: (...names) => join(path, ...names),
      note: (children) => write(path, { owner: self(), children }),
      release,
    }
  } catch (error) {
    release()
    throw explain(error, `The state folder ${path} cannot be used`)
  }
}

function prepare(path: string): void {
  // The database's own user must be able to pass through; what is secret inside has a mode of its own.
  mkdirSync(path, { recursive: true, mode: 0o755 })
  if (existsSync(join(path, MARKER))) {
    open(path)
    return
  }
  if (readdirSync(path).length > 0) {
    throw new LocalError(
      `${path} holds files that are not Breakwater's state, so it is left alone. Give --state an empty folder or a new one.`,
    )
  }
  writeFileSync(join(path, '.gitignore'), '*\n')
  open(path)
  writeFileSync(join(path, MARKER), `${JSON.stringify({ breakwater: 'local state', version: 1 })}\n`)
}

/** Postgres refuses to run as root and runs as a user of its own, who must get through. */
function open(path: string): void {
  if (process.getuid?.() === 0) chmodSync(path, statSync(path).mode | 0o111)
}

function empty(path: string): void {
  for (const name of readdirSync(path)) {
    if (name === MARKER || name === LOCK || name === '.gitignore') continue
    rmSync(join(path, name), { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

function checkSpace(path: string): void {
  const { bavail, bsize } = statfsSync(path)
  const free = bavail * bsize
  if (free >= LEAST_FREE) return
  throw new LocalError(
    `Only ${Math.floor(free / 1024 / 1024)} MB are free on the disk of ${path}; the local stack needs ${LEAST_FREE / 1024 / 1024} MB. Make room, or give --state a folder on another disk.`,
  )
}

function self(): ProcessMark {
  return markOf(process.pid) ?? { pid: process.pid, started: 'unknown' }
}

async function lock(path: string): Promise<void> {
  const file = join(path, LOCK)
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      writeFileSync(file, serialize({ owner: self(), children: [] }), { flag: 'wx' })
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const text = readIfThere(file)
    if (text === undefined) continue
    const run = parse(text)
    if (run === undefined) {
      // Being written by another process just now, or torn by a crash.
      const age = Date.now() - (lstatSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
      if (age < 1000) await sleep(50)
      else takeAway(file, text)
      continue
    }
    if (isRunning(run.owner)) {
      throw new LocalError(
        `Another breakwater dev (process ${run.owner.pid}) is running on ${path}. Stop it, or give --state another folder.`,
      )
    }
    await endAll(run.children)
    takeAway(file, text)
  }
  throw new LocalError(`The state folder ${path} is taken and given up again and again by other processes.`)
}

/** Removes a stale lock, unless another process has replaced it by its own in the meantime. */
function takeAway(file: string, stale: string): void {
  const aside = `${file}.${process.pid}`
  try {
    renameSync(file, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  const found = readIfThere(aside)
  rmSync(aside, { force: true })
  if (found === undefined || found === stale) return
  try {
    writeFileSync(file, found, { flag: 'wx' })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

function write(path: string, run: Run): void {
  const temporary = join(path, `${LOCK}.new`)
  writeFileSync(temporary, serialize(run))
  renameSync(temporary, join(path, LOCK))
}

function serialize(run: Run): string {
  return `${JSON.stringify(run)}\n`
}

function parse(text: string): Run | undefined {
  try {
    const run = JSON.parse(text) as Partial<Run> | null
    return isMark(run?.owner) && Array.isArray(run.children) && run.children.every(isMark)
      ? (run as Run)
      : undefined
  } catch {
    return undefined
  }
}

function isMark(value: unknown): value is ProcessMark {
  const mark = value as Partial<ProcessMark> | null | undefined
  return Number.isInteger(mark?.pid) && (mark?.pid ?? 0) > 1 && typeof mark?.started === 'string'
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
