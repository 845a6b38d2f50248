import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDatabase, type Database } from 'breakwater/db'
import pg from 'pg'
import { afterAll } from 'vitest'
import { createNeonApp } from '../../../src/local/neon/index.ts'
import { type LocalPostgres, migrate, startPostgres } from '../../../src/local/postgres/index.ts'
import { type StandIn, serveStandIn } from '../../../src/local/server.ts'

/** A database of one's own, with Neon's protocols in front. */
export interface ScratchDatabase {
  /** Straight to Postgres, as the owner. */
  readonly url: string
  /** The same, as the superuser. */
  readonly superuserUrl: string
  /** Base URL of the Neon stand-in: `NEON_ENDPOINT`. */
  readonly endpoint: string
  /** The stand-in itself: faults and counts. */
  readonly standIn: StandIn
  /** Through the stand-in, as a worker does it. */
  readonly db: Database
  /** Straight to Postgres. */
  readonly pool: pg.Pool
  /** Removes it. Not needed: everything goes when the test file ends. */
  drop(): Promise<void>
}

const MIGRATIONS = join(import.meta.dirname, '..', '..', '..', 'drizzle')
const TEMPLATE = join(tmpdir(), `breakwater-test-postgres-18-${process.getuid?.() ?? 0}`)

interface Server {
  readonly postgres: LocalPostgres
  readonly root: string
  readonly pool: pg.Pool
}

let starting: Promise<Server> | undefined
let migrated: Promise<string> | undefined
let count = 0
const scratches = new Set<ScratchDatabase>()

function freshFolder(): string {
  return mkdtempSync(join(tmpdir(), 'breakwater-test-'))
}

/** A state folder to copy: setting one up takes half a second, copying it a tenth. */
export async function clusterTemplate(): Promise<string> {
  if (existsSync(join(TEMPLATE, 'data', 'PG_VERSION'))) return TEMPLATE
  const made = freshFolder()
  await (await startPostgres({ dataDir: made, durable: false })).stop()
  try {
    renameSync(made, TEMPLATE)
  } catch {
    // Another test process was first.
    rmSync(made, { recursive: true, force: true })
  }
  return TEMPLATE
}

async function start(): Promise<Server> {
  const from = await clusterTemplate()
  const root = freshFolder()
  execFileSync('cp', ['-a', `${from}/.`, root])
  const postgres = await startPostgres({ dataDir: root, durable: false })
  const pool = new pg.Pool({ connectionString: postgres.url, max: 2 })
  pool.on('error', () => {})
  return { postgres, root, pool }
}

function at(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}

/** A database that has the migrations, to copy others from. */
async function migratedTemplate({ pool, postgres }: Server): Promise<string> {
  await pool.query('create database migrated')
  await migrate({ url: at(postgres.url, 'migrated'), folder: MIGRATIONS })
  return 'migrated'
}

/**
 * Makes a database. Usable in `beforeAll`, `beforeEach` and tests; a first one takes less than a second, further
 * ones some fifty milliseconds.
 *
 * @param options.migrations Whether the migrations in `/drizzle` are applied. Default true.
 */
export async function scratchDatabase(
  options: { readonly migrations?: boolean } = {},
): Promise<ScratchDatabase> {
  starting ??= start()
  const server = await starting
  const name = `scratch_${++count}`
  if (options.migrations === false) await server.pool.query(`create database ${name}`)
  else {
    migrated ??= migratedTemplate(server)
    await server.pool.query(`create database ${name} template ${await migrated}`)
  }
  const url = at(server.postgres.url, name)
  const standIn = await serveStandIn(createNeonApp({ connect: url, connections: 8 }))
  const pool = new pg.Pool({ connectionString: url, max: 8 })
  // Dropping a database ends its connections, and an idle client says so by an event.
  pool.on('error', () => {})
  let dropping: Promise<void> | undefined
  async function drop(): Promise<void> {
    scratches.delete(scratch)
    await standIn.stop()
    await pool.end()
    await server.pool.query(`drop database ${name} with (force)`)
  }
  const scratch: ScratchDatabase = {
    url,
    superuserUrl: at(server.postgres.superuserUrl, name),
    endpoint: standIn.url,
    standIn,
    db: createDatabase({ url, endpoint: standIn.url }),
    pool,
    drop: () => (dropping ??= drop()),
  }
  scratches.add(scratch)
  return scratch
}

afterAll(async () => {
  const server = await starting?.catch(() => undefined)
  if (server === undefined) return
  await Promise.all([...scratches].map((scratch) => scratch.standIn.stop()))
  await Promise.all([...scratches].map((scratch) => scratch.pool.end()))
  await server.pool.end()
  await server.postgres.stop()
  rmSync(server.root, { recursive: true, force: true })
})
