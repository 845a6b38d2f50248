import type { CommandModule } from './command.ts'
import { commands } from './registry.ts'

/** The list of commands. */
export async function overview(): Promise<string> {
  const rows = await Promise.all(
    Object.entries(commands).map(async ([name, load]): Promise<[string, string]> => {
      try {
        return [name, (await load()).summary]
      } catch {
        // One command whose optional parts are not installed must not take help with it.
        return [name, '(cannot be loaded here)']
      }
    }),
  )
  return [
    'Usage: breakwater <command> [flags]',
    '',
    'Commands:',
    ...table(rows),
    '',
    'breakwater help <command> tells more; breakwater --version tells the version.',
  ].join('\n')
}

/** What one command does and takes. */
export function commandHelp(command: CommandModule): string {
  const rows = Object.entries(command.options).map(([name, option]): [string, string] => {
    const flag = `${option.short ? `-${option.short}, ` : ''}--${name}`
    return [option.type === 'string' ? `${flag} ${option.value ?? 'VALUE'}` : flag, option.summary]
  })
  return [
    `Usage: breakwater ${command.name}${command.positionals ? ` ${command.positionals}` : ''}${rows.length > 0 ? ' [flags]' : ''}`,
    '',
    command.summary,
    ...(command.details ? ['', command.details.trim()] : []),
    ...(rows.length > 0 ? ['', 'Flags:', ...table(rows)] : []),
  ].join('\n')
}

function table(rows: readonly [string, string][]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}
