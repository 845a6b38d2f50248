import { bits } from './commands/bits.ts'
import { connection } from './commands/connection.ts'
import { expiry } from './commands/expiry.ts'
import { hashes } from './commands/hashes.ts'
import { keyCommands } from './commands/keys.ts'
import { lists } from './commands/lists.ts'
import { sets } from './commands/sets.ts'
import { sortedSetAlgebra } from './commands/sorted-set-algebra.ts'
import { sortedSetRanges } from './commands/sorted-set-ranges.ts'
import { sortedSets } from './commands/sorted-sets.ts'
import { strings } from './commands/strings.ts'
import type { Command, CommandTable } from './commands/types.ts'
import { Keyspace } from './keyspace.ts'
import { CommandError, type Reply, wrongArity } from './reply.ts'
import { Scripting } from './scripting.ts'

/** Something that runs commands: the store in this process, or a real server. */
export interface Backend {
  /**
   * Runs commands in order and answers each; an error is an answer.
   * @param atomic all or nothing of other clients in between, and none at all when one is malformed
   */
  execute(commands: readonly string[][], atomic: boolean): Promise<Reply[]>
  close(): Promise<void>
}

const TABLE: CommandTable = {
  ...connection,
  ...keyCommands,
  ...expiry,
  ...strings,
  ...bits,
  ...hashes,
  ...lists,
  ...sets,
  ...sortedSets,
  ...sortedSetRanges,
  ...sortedSetAlgebra,
}

function fits(command: Command, words: number): boolean {
  return command.arity < 0 ? words >= -command.arity : words === command.arity
}

/** The real server behind the stand-in could not be reached, or went away. */
export class ServerUnavailable extends Error {
  constructor(cause: unknown) {
    super('ERR the Redis server behind the stand-in cannot be reached', { cause })
  }
}

/** What a transaction is answered with when one of its commands cannot even be queued. */
export const ABORTED = 'EXECABORT Transaction discarded because of previous errors.'

/** The embedded store: one process, one database, one command at a time. */
export class Store {
  readonly keys: Keyspace = new Keyspace()
  readonly #table: CommandTable
  readonly #clock: () => number

  /** @param clock milliseconds since the epoch */
  constructor(clock: () => number) {
    this.#clock = clock
    const scripting = new Scripting((command, readOnly) => this.#nested(command, readOnly))
    this.#table = { ...TABLE, ...scripting.commands }
  }

  /** Names of all commands. */
  names(): string[] {
    return Object.keys(this.#table)
  }

  /** Runs one command. Errors are returned, not thrown. */
  run(words: readonly string[]): Reply {
    this.keys.now = Math.floor(this.#clock())
    try {
      const command = this.#find(words)
      return command.run(this.keys, words.slice(1))
    } catch (error) {
      if (error instanceof CommandError) return error
      throw error
    }
  }

  /** Runs commands as one, or none when one of them is unknown or has the wrong number of arguments. */
  runAll(commands: readonly string[][]): Reply[] | CommandError {
    try {
      for (const words of commands) this.#find(words)
    } catch (error) {
      if (error instanceof CommandError) return new CommandError(ABORTED)
      throw error
    }
    return commands.map((words) => this.run(words))
  }

  /** Deletes what has expired. */
  sweep(): void {
    this.keys.now = Math.floor(this.#clock())
    this.keys.sweep()
  }

  #find(words: readonly string[]): Command {
    const name = (words[0] ?? '').toLowerCase()
    const command = Object.hasOwn(this.#table, name) ? this.#table[name] : undefined
    if (!command) throw unknownCommand(words)
    if (!fits(command, words.length)) throw wrongArity(name)
    return command
  }

  #nested(words: readonly string[], readOnly: boolean): Reply {
    const name = (words[0] as string).toLowerCase()
    const command = Object.hasOwn(this.#table, name) ? this.#table[name] : undefined
    if (!command) return new CommandError('ERR Unknown Redis command called from script')
    if (!fits(command, words.length)) {
      return new CommandError('ERR Wrong number of args calling Redis command from script')
    }
    if (!Object.hasOwn(TABLE, name))
      return new CommandError('ERR This Redis command is not allowed from script')
    if (readOnly && command.write) {
      return new CommandError('ERR Write commands are not allowed from read-only scripts.')
    }
    try {
      return command.run(this.keys, words.slice(1))
    } catch (error) {
      if (error instanceof CommandError) return error
      throw error
    }
  }
}

function unknownCommand(words: readonly string[]): CommandError {
  let shown = ''
  for (const word of words.slice(1)) {
    if (shown.length >= 128) break
    shown += `'${word.slice(0, 128 - shown.length)}' `
  }
  return new CommandError(
    `ERR unknown command '${(words[0] ?? '').slice(0, 128)}', with args beginning with: ${shown}`,
  )
}
