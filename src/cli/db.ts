import { resolve } from 'node:path'
import process from 'node:process'
import { MigrationError, migrate } from '../local/postgres/index.ts'
import { CommandFailed, type CommandInput, type CommandModule, UsageError } from './command.ts'

/** As it is typed. */
export const name: CommandModule['name'] = 'db'
/** One line for the list of commands. */
export const summary: CommandModule['summary'] = 'Apply migrations'
/** What follows the command. */
export const positionals: string = '<migrate>'
/** More for its help. */
export const details: string = `migrate applies what is missing of a folder of migrations, in one
transaction, under an advisory lock. The database is DATABASE_URL_DIRECT: the direct address, since a pooler would hand
the lock to somebody else.`

const OPTIONS = {
  url: { type: 'string', value: 'URL', summary: 'which database (DATABASE_URL_DIRECT)' },
  folder: { type: 'string', value: 'DIR', summary: 'the folder of migrations (drizzle)' },
} as const

/** Flags. */
export const options: CommandModule['options'] = OPTIONS

/** Runs it. */
export async function run({
  values,
  positionals: [what, ...rest],
}: CommandInput<typeof OPTIONS>): Promise<number> {
  if (what !== 'migrate' || rest.length > 0)
    throw new UsageError('breakwater db does one thing: breakwater db migrate')
  const url = values.url ?? process.env['DATABASE_URL_DIRECT'] ?? ''
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new UsageError('Set DATABASE_URL_DIRECT, or give --url: postgres://user:password@host/database')
  }
  if (/[-.]pooler\./.test(url)) {
    throw new UsageError(
      "This is a pooler's address; migrations need the direct one, without -pooler in the host.",
    )
  }
  try {
    const { applied, total } = await migrate({ url, folder: resolve(values.folder ?? 'drizzle'), log: say })
    say(
      applied === 0
        ? `Nothing to do: ${total} migrations are applied.`
        : `${applied} applied, ${total} in all.`,
    )
    return 0
  } catch (error) {
    if (error instanceof MigrationError) throw new CommandFailed(error.message)
    // The driver's own words: the host that does not answer, the role that may not enter. Never the password.
    throw new CommandFailed(`The database cannot be reached: ${(error as Error).message}`)
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
