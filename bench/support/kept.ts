import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Outcome } from './bench.ts'
import { type Machine, machine } from './machine.ts'

/** What a bench has measured, with all that is needed to say where it comes from and to measure it again. */
export interface Kept extends Outcome {
  /** RFC 3339, to the day. */
  readonly date: string
  readonly command: string
  readonly machine: Machine
}

const fileOf = (name: string): string => join(import.meta.dirname, '..', 'kept', `${name}.json`)

/** Keeps an outcome, for `all` to take it from there. */
export function keep(name: string, args: readonly string[], outcome: Outcome): void {
  const kept: Kept = {
    date: new Date().toISOString().slice(0, 10),
    command: ['npm run bench --', name, ...args, '--save'].join(' '),
    machine: machine(),
    ...outcome,
  }
  mkdirSync(join(fileOf(name), '..'), { recursive: true })
  writeFileSync(fileOf(name), `${JSON.stringify(kept, null, 2)}\n`)
}

/** What was kept, if anything. */
export function keptOf(name: string): Kept | undefined {
  const file = fileOf(name)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Kept) : undefined
}
