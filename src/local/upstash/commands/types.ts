import type { Keyspace } from '../keyspace.ts'
import type { Reply } from '../reply.ts'

/** Runs one command; `args` are what follows its name, as many as its arity promises. */
export type Handler = (keys: Keyspace, args: string[]) => Reply

/** One command of the table. */
export interface Command {
  /** As Redis counts: with the command's name; negative when at least that many. */
  readonly arity: number
  /** Whether it may change the store: refused in a read-only script. */
  readonly write: boolean
  /** The name of arity errors of container commands, `script|load`. */
  readonly subcommands?: Readonly<Record<string, Command>>
  readonly run: Handler
}

/** Commands by lower-case name. */
export type CommandTable = Readonly<Record<string, Command>>

/** A command that leaves the store as it is. */
export function reads(arity: number, run: Handler): Command {
  return { arity, write: false, run }
}

/** A command that may change the store. */
export function writes(arity: number, run: Handler): Command {
  return { arity, write: true, run }
}

/** Flat pairs, as in `field value field value`. */
export function* pairs(args: readonly string[]): Generator<[string, string]> {
  for (let i = 0; i + 1 < args.length; i += 2) yield [args[i] as string, args[i + 1] as string]
}
