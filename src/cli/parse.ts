import { parseArgs } from 'node:util'
import { type CommandInput, type CommandModule, UsageError } from './command.ts'
import { nearest } from './nearest.ts'

type Values = Record<string, string | boolean | string[]>

/**
 * Reads the arguments that follow a command.
 * @throws {UsageError} with one sentence, and the nearest flag where one was mistyped.
 */
export function parseCommandLine(command: CommandModule, args: readonly string[]): CommandInput {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type, short, multiple }]) => [
      name,
      { type, ...(short && { short }), ...(multiple && { multiple }) },
    ]),
  )
  // Lenient, because parseArgs' own complaints run over several sentences and know no nearest flag.
  const { tokens, positionals } = parseArgs({ args: [...args], options, strict: false, tokens: true })
  const values: Values = {}
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(command.options, token.name) ? command.options[token.name] : undefined
    if (option === undefined) throw unknownFlag(command, token.rawName)
    if (option.type === 'boolean') {
      if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value.`)
      values[token.name] = true
      continue
    }
    // `--port --reset` is a forgotten value, not a value; `--port=--reset` is one.
    if (
      token.value === undefined ||
      token.value === '' ||
      (!token.inlineValue && token.value.startsWith('-'))
    ) {
      throw new UsageError(
        `${token.rawName} needs a value${option.value ? `: ${token.rawName} ${option.value}` : ''}.`,
      )
    }
    const before = values[token.name]
    if (option.multiple) values[token.name] = [...(Array.isArray(before) ? before : []), token.value]
    else if (before !== undefined) throw new UsageError(`${token.rawName} was given twice.`)
    else values[token.name] = token.value
  }
  const [first] = positionals
  if (first !== undefined && command.positionals === undefined) {
    throw new UsageError(`breakwater ${command.name} takes no argument such as "${first}".`)
  }
  return { values, positionals }
}

function unknownFlag(command: CommandModule, flag: string): UsageError {
  const near = nearest(flag.replace(/^-+/, ''), Object.keys(command.options))
  const hint = near === undefined ? `see breakwater help ${command.name}` : `did you mean --${near}?`
  return new UsageError(`breakwater ${command.name} has no flag ${flag}; ${hint}`)
}

/**
 * A port from a flag's value; undefined stays undefined.
 * @throws {UsageError} when it is not 0 to 65535.
 */
export function parsePort(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) {
    throw new UsageError(`${flag} needs a port from 0 (any free one) to 65535, not "${value}".`)
  }
  return Number(value)
}
