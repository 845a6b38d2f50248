import { readFileSync, realpathSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { CommandFailed, type CommandModule, UsageError } from './command.ts'
import { commandHelp, overview } from './help.ts'
import { nearest } from './nearest.ts'
import { parseCommandLine } from './parse.ts'
import { commands } from './registry.ts'

/**
 * Runs one command line.
 * @param args What follows `breakwater`.
 * @returns The exit code: 0 done, 1 failed, 2 a wrong command line; a command may have others of its own.
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args)
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n`)
      return 2
    }
    const known = error instanceof CommandFailed
    const shown =
      error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error)
    process.stderr.write(`${shown}\n`)
    return 1
  }
}

async function dispatch([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined) {
    process.stderr.write(`${await overview()}\n`)
    return 2
  }
  if (name === '--version' || name === '-v' || name === 'version') {
    process.stdout.write(`${version()}\n`)
    return 0
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    const [topic] = rest
    process.stdout.write(`${topic === undefined ? await overview() : commandHelp(await find(topic))}\n`)
    return 0
  }
  if (name.startsWith('-'))
    throw new UsageError(`breakwater has no flag ${name} before a command; see breakwater help`)
  const command = await find(name)
  if (asksForHelp(command, rest)) {
    process.stdout.write(`${commandHelp(command)}\n`)
    return 0
  }
  return (await command.run(parseCommandLine(command, rest))) ?? 0
}

async function find(name: string): Promise<CommandModule> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (load) return load()
  const near = nearest(name, Object.keys(commands))
  const hint = near === undefined ? 'see breakwater help' : `did you mean ${near}?`
  throw new UsageError(`There is no command ${name}; ${hint}`)
}

function asksForHelp(command: CommandModule, args: readonly string[]): boolean {
  const end = args.indexOf('--')
  const flags = end === -1 ? args : args.slice(0, end)
  return (
    flags.includes('--help') ||
    (flags.includes('-h') && !Object.values(command.options).some(({ short }) => short === 'h'))
  )
}

function version(): string {
  const { version } = JSON.parse(
    readFileSync(fileURLToPath(import.meta.resolve('../../package.json')), 'utf8'),
  )
  return String(version)
}

const started = process.argv[1]
if (started !== undefined && import.meta.url === pathToFileURL(realpathSync(started)).href) {
  // A later start is spared most of the compiling.
  enableCompileCache()
  const code = await main(process.argv.slice(2))
  // Not process.exit: output on a pipe is written after it is asked for.
  process.exitCode = code
}
