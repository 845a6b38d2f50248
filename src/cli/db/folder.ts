import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import process from 'node:process'
import { type DrizzleSnapshot, type MigrationFile, modelOfSnapshot } from '../../db-health/index.ts'
import { CommandFailed } from '../command.ts'

type SchemaModel = ReturnType<typeof modelOfSnapshot>

function entries(folder: string): { tag: string; idx: number }[] {
  const journal = join(folder, 'meta', '_journal.json')
  if (!existsSync(journal)) {
    throw new CommandFailed(
      `${relative(process.cwd(), folder) || folder} holds no migrations; name their folder with --folder.`,
    )
  }
  return (JSON.parse(readFileSync(journal, 'utf8')) as { entries: { tag: string; idx: number }[] }).entries
}

/** The migrations of a folder, in order. */
export function readMigrations(folder: string): MigrationFile[] {
  return entries(folder).map(({ tag }) => ({
    name: `${tag}.sql`,
    sql: readFileSync(join(folder, `${tag}.sql`), 'utf8'),
  }))
}

/** What the migrations of a folder come to. */
export function readSnapshot(folder: string): SchemaModel {
  entries(folder)
  const meta = join(folder, 'meta')
  const newest = readdirSync(meta)
    .filter((name) => /^\d+_snapshot\.json$/.test(name))
    .sort()
    .at(-1)
  if (newest === undefined) throw new CommandFailed(`${meta} has no snapshot: run drizzle-kit generate.`)
  return modelOfSnapshot(JSON.parse(readFileSync(join(meta, newest), 'utf8')) as DrizzleSnapshot)
}
