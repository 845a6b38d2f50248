import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import type pg from 'pg'
import type { Manifest } from '../../backup/manifest.ts'
import { CommandFailed } from '../command.ts'

/** A migration file, split into statements. */
export interface Migration {
  readonly hash: string
  readonly createdAt: number
  readonly statements: readonly string[]
}

/**
 * The migrations that made the schema the backup was taken from: the first ones of the folder, which must be the very
 * ones that were applied.
 */
export function migrationsOf(manifest: Manifest, folder: string): Migration[] {
  const applied = manifest.migrations
  if (applied.length === 0) {
    throw new CommandFailed(
      `Backup ${manifest.id} is of a database without Drizzle's journal of migrations, so that its schema cannot be made again.`,
    )
  }
  if (!existsSync(join(folder, 'meta', '_journal.json'))) {
    throw new CommandFailed(`${folder} holds no migrations; name their folder with --migrations.`)
  }
  const files = readMigrationFiles({ migrationsFolder: folder })
  return applied.map(({ hash, createdAt }, at) => {
    const file = files[at]
    if (file === undefined || file.hash !== hash) {
      throw new CommandFailed(
        `Migration ${at + 1} of ${applied.length} in ${folder} is not the one that was applied when backup ${manifest.id} was made; check out the release of that day.`,
      )
    }
    return { hash, createdAt: Number(createdAt), statements: file.sql }
  })
}

/** Applies migrations inside the transaction under way and records them as Drizzle does, so that it goes on from there. */
export async function applyMigrations(client: pg.Client, migrations: readonly Migration[]): Promise<void> {
  await client.query('create schema if not exists drizzle')
  await client.query(
    'create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)',
  )
  for (const { hash, createdAt, statements } of migrations) {
    for (const statement of statements) {
      if (statement.trim() !== '') await client.query(statement)
    }
    await client.query('insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)', [
      hash,
      createdAt,
    ])
  }
}
