/** One flag of a command, as `node:util`'s parseArgs knows it, with what help says about it. */
export interface CommandOption {
  readonly type: 'string' | 'boolean'
  /** One letter. */
  readonly short?: string
  /** May be given more than once. */
  readonly multiple?: boolean
  /** What help shows in the place of the value, such as `N` or `DIR`. */
  readonly value?: string
  /** One line of help, with the default. */
  readonly summary: string
}

/** The flags of a command by their long names. */
export type CommandOptions = Readonly<Record<string, CommandOption>>

type OptionValue<O extends CommandOption> = O['type'] extends 'boolean'
  ? boolean
  : O['multiple'] extends true
    ? string[]
    : string

/** What a command is called with. */
export interface CommandInput<O extends CommandOptions = CommandOptions> {
  /** Flags that were given; a flag that was not is absent. */
  readonly values: string extends keyof O
    ? Readonly<Record<string, string | boolean | string[]>>
    : { readonly [K in keyof O]?: OptionValue<O[K]> }
  /** What follows the command and is no flag. */
  readonly positionals: readonly string[]
}

/** What the file of a command exports. */
export interface CommandModule {
  /** As it is typed. */
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** Positional arguments as help shows them, such as `<file>` or `[name…]`. Absent: it takes none. */
  readonly positionals?: string
  /** More paragraphs for `breakwater help <command>`. */
  readonly details?: string
  readonly options: CommandOptions
  /** Returns the exit code; nothing means 0. */
  run(input: CommandInput): Promise<number | undefined> | Promise<void>
}

/** The command line is wrong: its message is shown in one line and the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The command could not do its work for a reason that the message explains: shown without a stack, exit code 1. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
}
