import { existsSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { parseEnv } from 'node:util'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { createUploads, type UploadsDatabase } from '../uploads/index.ts'
import { CommandFailed, type CommandInput, type CommandModule, UsageError } from './command.ts'

/** As it is typed. */
export const name: CommandModule['name'] = 'uploads'
/** One line for the list of commands. */
export const summary: CommandModule['summary'] = 'Look after uploads: what there is, and what is lost'
/** What follows the command. */
export const positionals: string = '<stat|sweep>'
/** More for its help. */
export const details: string = `stat counts uploads by kind and state.

sweep looks at bucket and rows side by side: objects that no row accounts for are removed once they are older than
the grace, uploads whose object is gone are reported. Without --yes nothing is changed. The exit code is 1 when an
upload has lost its object.

The database is DATABASE_URL_DIRECT or DATABASE_URL; the bucket is that of wrangler dev, or with --remote the real one
that Wrangler's configuration names.`

const OPTIONS = {
  yes: { type: 'boolean', summary: 'sweep: remove what no row accounts for (report only)' },
  grace: { type: 'string', value: 'HOURS', summary: 'sweep: spare objects younger than this (24)' },
  prefix: { type: 'string', value: 'PREFIX', summary: 'what keys in the bucket begin with (uploads/)' },
  binding: { type: 'string', value: 'NAME', summary: 'the R2 binding (UPLOADS)' },
  config: { type: 'string', value: 'FILE', summary: "Wrangler's configuration (searched for)" },
  persist: { type: 'string', value: 'DIR', summary: "wrangler dev's state (.wrangler/state/v3)" },
  remote: { type: 'boolean', summary: 'the real bucket, by a configuration whose binding has remote = true' },
  json: { type: 'boolean', summary: 'print one JSON object' },
} as const

/** Flags. */
export const options: CommandModule['options'] = OPTIONS

type Values = CommandInput<typeof OPTIONS>['values']

function databaseUrl(): string {
  const file = existsSync('.dev.vars') ? parseEnv(readFileSync('.dev.vars', 'utf8')) : {}
  const url = process.env['DATABASE_URL_DIRECT'] ?? process.env['DATABASE_URL'] ?? file['DATABASE_URL']
  if (url === undefined || url === '')
    throw new UsageError('DATABASE_URL is not set: the database of the uploads.')
  return url
}

async function openBucket(values: Values): Promise<{ bucket: R2Bucket; close(): Promise<void> }> {
  const wrangler = await import('wrangler').catch(() => {
    throw new CommandFailed('Reading the bucket needs wrangler: npm install --save-dev wrangler')
  })
  const proxy = await wrangler.getPlatformProxy<Record<string, unknown>>({
    ...(values.config !== undefined && { configPath: values.config }),
    ...(values.persist !== undefined && { persist: { path: values.persist } }),
    remoteBindings: values.remote === true,
  })
  const binding = values.binding ?? 'UPLOADS'
  const bucket = proxy.env[binding] as R2Bucket | undefined
  if (typeof bucket?.list !== 'function') {
    await proxy.dispose()
    throw new CommandFailed(`Wrangler's configuration has no R2 binding ${binding}; name it with --binding.`)
  }
  return { bucket, close: () => proxy.dispose() }
}

/** Only the database and the bucket are used by what follows; kinds and owners belong to the app. */
function service(pool: pg.Pool, bucket: R2Bucket, prefix: string | undefined) {
  return createUploads({
    db: drizzle(pool) as unknown as UploadsDatabase,
    bucket,
    owner: () => undefined,
    kinds: { any: { types: ['image/png'], maxBytes: 1 } },
    ...(prefix !== undefined && { prefix }),
  })
}

function print(values: Values, value: object, text: string): void {
  process.stdout.write(`${values.json === true ? JSON.stringify(value) : text}\n`)
}

async function stat(values: Values, pool: pg.Pool): Promise<number> {
  const counts = await service(pool, {} as R2Bucket, values.prefix).stats()
  const lines = counts.map(
    ({ kind, state, count, bytes }) => `${kind}  ${state}  ${count} files  ${bytes} bytes`,
  )
  print(values, { uploads: counts }, lines.length === 0 ? 'There are no uploads.' : lines.join('\n'))
  return 0
}

async function sweep(values: Values, pool: pg.Pool): Promise<number> {
  const hours = Number(values.grace ?? 24)
  if (!(hours >= 0)) throw new UsageError('--grace takes a number of hours')
  const { bucket, close } = await openBucket(values)
  try {
    const uploads = service(pool, bucket, values.prefix)
    const dryRun = values.yes !== true
    const all = { objects: 0, orphans: [] as string[], missing: [] as string[] }
    let cursor: string | undefined
    do {
      const grace = Math.round(hours * 3_600_000)
      const page = await uploads.reconcile({ dryRun, grace, ...(cursor !== undefined && { cursor }) })
      all.objects += page.objects
      all.orphans.push(...page.orphans)
      all.missing.push(...page.missing)
      cursor = page.cursor
    } while (cursor !== undefined)
    const done = dryRun ? 'would be removed (--yes)' : 'removed'
    const lines = [
      `${all.objects} objects looked at.`,
      `${all.orphans.length} without a row ${done}.`,
      ...all.orphans.map((key) => `  ${key}`),
      `${all.missing.length} uploads have lost their object.`,
      ...all.missing.map((id) => `  ${id}`),
    ]
    print(values, { ...all, removed: !dryRun }, lines.join('\n'))
    return all.missing.length > 0 ? 1 : 0
  } finally {
    await close()
  }
}

const ACTIONS = { stat, sweep }

/** Runs it. */
export async function run(input: CommandInput): Promise<number> {
  const [action, ...rest] = input.positionals
  if (action === undefined || !Object.hasOwn(ACTIONS, action) || rest.length > 0) {
    throw new UsageError('breakwater uploads needs one of: stat, sweep')
  }
  const pool = new pg.Pool({ connectionString: databaseUrl(), max: 2 })
  pool.on('error', () => {})
  try {
    return await ACTIONS[action as keyof typeof ACTIONS](input.values as Values, pool)
  } finally {
    await pool.end()
  }
}
