import { resolve } from 'node:path'
import process from 'node:process'
import { BackupError } from '../backup/errors.ts'
import { importKey, type MasterKey } from '../backup/keys.ts'
import { listBackups, openBackup } from '../backup/store.ts'
import { restoreTable, size, table, totals } from './backup/report.ts'
import { restore } from './backup/restore.ts'
import { type OpenSource, openSource } from './backup/sources.ts'
import { verify } from './backup/verify.ts'
import { CommandFailed, type CommandInput, type CommandModule, UsageError } from './command.ts'

/** As it is typed. */
export const name: CommandModule['name'] = 'backup'
/** One line for the list of commands. */
export const summary: CommandModule['summary'] = 'List, verify and restore backups'
/** What follows the command. */
export const positionals: string = '<list|verify|restore>'
/** More for its help. */
export const details: string = `Backups are read
  --from local   the R2 bucket of wrangler dev (the default),
  --from s3      R2 itself: R2_ACCOUNT_ID, R2_BUCKET, R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY (R2_ENDPOINT to
                 overrule the address) from the environment,
  --from DIR     a folder with a file for every key, as rclone copies a bucket.

The keys they were made under come from BACKUP_KEY: one, or several with commas between.

restore loads into an empty database that is neither the backup's own nor the one of DATABASE_URL, in one
transaction, and compares every table with what was backed up. The exit code is 0 only when all is the same;
else the target is left empty.`

const OPTIONS = {
  from: { type: 'string', value: 'WHERE', summary: 'local, s3 or a folder (local)' },
  to: { type: 'string', value: 'URL', summary: 'restore: an empty database (RESTORE_URL)' },
  id: { type: 'string', value: 'ID', summary: 'which backup (the newest)' },
  prefix: { type: 'string', value: 'PREFIX', summary: 'what keys in the bucket begin with (nothing)' },
  migrations: { type: 'string', value: 'DIR', summary: 'restore: the folder of migrations (drizzle)' },
  binding: { type: 'string', value: 'NAME', summary: 'local: the R2 binding (BACKUPS)' },
  config: { type: 'string', value: 'FILE', summary: "local: wrangler's configuration (searched for)" },
  persist: { type: 'string', value: 'DIR', summary: "local: wrangler's state (.wrangler/state/v3)" },
  json: { type: 'boolean', summary: 'print one JSON object' },
} as const

/** Flags. */
export const options: CommandModule['options'] = OPTIONS

type Values = CommandInput<typeof OPTIONS>['values']

async function keysOf(source: OpenSource): Promise<MasterKey[]> {
  const text: string = process.env['BACKUP_KEY'] ?? source.variables['BACKUP_KEY'] ?? ''
  const keys = text.split(',').map((key) => key.trim())
  if (keys.join('') === '')
    throw new UsageError('BACKUP_KEY is not set: the key that backups are made under.')
  try {
    return await Promise.all(keys.map(importKey))
  } catch (error) {
    throw new UsageError(`BACKUP_KEY: ${(error as Error).message}`)
  }
}

function print(values: Values, value: object, text: string): void {
  process.stdout.write(`${values.json === true ? JSON.stringify(value) : text}\n`)
}

async function list(values: Values, source: OpenSource): Promise<number> {
  const prefix = values.prefix ?? ''
  const masters = await keysOf(source)
  const backups: object[] = []
  const lines: string[][] = []
  let sound = true
  for (const id of (await listBackups(source, prefix)).reverse()) {
    try {
      const { manifest } = await openBackup(source, { prefix, masters, id })
      const { rows, bytes } = totals(manifest)
      const tables = manifest.tables.length
      backups.push({ id, tables, rows, bytes })
      lines.push([id, `${tables} tables`, `${rows} rows`, size(bytes)])
    } catch (error) {
      if (!(error instanceof BackupError)) throw error
      sound = false
      backups.push({ id, fault: error.fault, message: error.message })
      lines.push([id, error.message])
    }
  }
  print(values, { backups }, lines.length === 0 ? 'There is no complete backup here.' : table(lines))
  return backups.length > 0 && sound ? 0 : 1
}

async function open(values: Values, source: OpenSource) {
  const masters = await keysOf(source)
  return openBackup(source, {
    prefix: values.prefix ?? '',
    masters,
    ...(values.id !== undefined && { id: values.id }),
  })
}

async function runVerify(values: Values, source: OpenSource): Promise<number> {
  const backup = await open(values, source)
  const report = await verify(backup)
  const { tables, chunks, rows, bytes } = report
  const { id } = backup.manifest
  print(
    values,
    { id, ...report },
    `Backup ${id} is whole: ${tables} tables, ${chunks} chunks, ${rows} rows, ${size(bytes)}.`,
  )
  return 0
}

async function runRestore(values: Values, source: OpenSource): Promise<number> {
  const to = values.to ?? process.env['RESTORE_URL']
  if (to === undefined)
    throw new UsageError('restore needs --to, the URL of an empty database (or RESTORE_URL).')
  const backup = await open(values, source)
  const report = await restore({
    backup,
    to,
    migrations: resolve(values.migrations ?? 'drizzle'),
    log: (line) => process.stderr.write(`${line}\n`),
  })
  const { id } = backup.manifest
  const lines = [restoreTable(report), ...report.warnings.map((warning) => `Note: ${warning}`)]
  lines.push(
    report.same
      ? `Backup ${id} is restored in ${(report.milliseconds / 1000).toFixed(1)} s; everything is the same.`
      : `Backup ${id} was not restored: what came out differs from what went in. The target is empty.`,
  )
  print(values, { id, ...report }, lines.join('\n'))
  return report.same ? 0 : 1
}

const ACTIONS = { list, verify: runVerify, restore: runRestore }

/** Runs it. */
export async function run(input: CommandInput): Promise<number> {
  const [action, ...rest] = input.positionals
  if (action === undefined || !Object.hasOwn(ACTIONS, action) || rest.length > 0) {
    throw new UsageError('breakwater backup needs one of: list, verify, restore')
  }
  const values = input.values as Values
  const source = await openSource({
    from: values.from ?? 'local',
    binding: values.binding ?? 'BACKUPS',
    ...(values.config !== undefined && { config: values.config }),
    ...(values.persist !== undefined && { persist: values.persist }),
  })
  try {
    return await ACTIONS[action as keyof typeof ACTIONS](values, source)
  } catch (error) {
    if (error instanceof BackupError) throw new CommandFailed(error.message, { cause: error })
    throw error
  } finally {
    await source.close()
  }
}
