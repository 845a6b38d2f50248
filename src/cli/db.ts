import { resolve } from 'node:path'
import process from 'node:process'
import pg from 'pg'
import { findDrift, lintMigrations, modelOfCatalog } from '../db-health/index.ts'
import { MigrationError, migrate } from '../local/postgres/index.ts'
import { CommandFailed, type CommandInput, type CommandModule, UsageError } from './command.ts'
import { readMigrations, readSnapshot } from './db/folder.ts'

/** As it is typed. */
export const name: CommandModule['name'] = 'db'
/** One line for the list of commands. */
export const summary: CommandModule['summary'] = 'Apply migrations, look them over, find drift'
/** What follows the command. */
export const positionals: string = '<migrate|lint|drift>'
/** More for its help. */
export const details: string = `migrate applies what is missing of a folder of migrations under an advisory lock: in one
transaction, or, when a statement such as CREATE INDEX CONCURRENTLY cannot be in one, statement by statement, to be
resumed where it stopped.
lint finds what locks a live table in the migrations, and needs no database.
drift shows what differs between the migrations and the database.
The database is DATABASE_URL_DIRECT: the direct address, since a pooler would hand the lock to somebody else.`

const OPTIONS = {
  url: { type: 'string', value: 'URL', summary: 'which database (DATABASE_URL_DIRECT)' },
  folder: { type: 'string', value: 'DIR', summary: 'the folder of migrations (drizzle)' },
  json: { type: 'boolean', summary: 'lint and drift: print one JSON array of findings' },
} as const

/** Flags. */
export const options: CommandModule['options'] = OPTIONS

/** Runs it. */
export async function run({
  values,
  positionals: [what, ...rest],
}: CommandInput<typeof OPTIONS>): Promise<number> {
  const folder = resolve(values.folder ?? 'drizzle')
  if (rest.length > 0) throw new UsageError(`breakwater db ${what} takes no ${rest[0]}.`)
  if (what === 'lint') return lint(folder, values.json === true)
  if (what === 'drift') return drift(directUrl(values.url), folder, values.json === true)
  if (what === 'migrate') return apply(directUrl(values.url), folder)
  throw new UsageError('breakwater db does one of: migrate, lint, drift.')
}

function directUrl(given: string | undefined): string {
  const url = given ?? process.env['DATABASE_URL_DIRECT'] ?? ''
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new UsageError('Set DATABASE_URL_DIRECT, or give --url: postgres://user:password@host/database')
  }
  if (/[-.]pooler\./.test(url)) {
    throw new UsageError(
      "This is a pooler's address; migrations need the direct one, without -pooler in the host.",
    )
  }
  return url
}

async function apply(url: string, folder: string): Promise<number> {
  try {
    const { applied, total } = await migrate({ url, folder, log: say })
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

function lint(folder: string, json: boolean): number {
  const files = readMigrations(folder)
  const found = lintMigrations(files)
  if (json) say(JSON.stringify(found))
  else {
    for (const { file, line, message, hint, rule } of found) {
      say(
        `${file}:${line} ${message}\n  → ${hint}\n  → or, when nobody uses the table: -- breakwater: allow ${rule}`,
      )
    }
    say(`${files.length} migrations, ${found.length} findings.`)
  }
  return found.length > 0 ? 1 : 0
}

async function drift(url: string, folder: string, json: boolean): Promise<number> {
  const declared = readSnapshot(folder)
  const client = new pg.Client({ connectionString: url, application_name: 'breakwater drift' })
  client.on('error', () => {})
  try {
    await client.connect()
    const live = await modelOfCatalog(async (sql) => (await client.query(sql)).rows)
    const found = findDrift(declared, live)
    if (json) say(JSON.stringify(found))
    else {
      for (const { message, hint } of found) say(`${message}\n  → ${hint}`)
      say(found.length === 0 ? 'No drift.' : `${found.length} differences.`)
    }
    return found.length > 0 ? 1 : 0
  } catch (error) {
    throw new CommandFailed(`The database cannot be looked at: ${(error as Error).message}`)
  } finally {
    await client.end().catch(() => {})
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
