import { appendFileSync, globSync, readFileSync } from 'node:fs'

const BREAKPOINT = '--> statement-breakpoint'

const migrationsIn = (folder: string): string[] => globSync(`${folder}/*.sql`).sort()

/**
 * The SQL that rooms have beside their Drizzle schema (`src/<room>/schema.sql`), for what Drizzle has no words for, as far as
 * no migration in the folder has it yet. One entry a file, without its opening comment.
 */
export function missingSql(folder: string): string[] {
  const migrations = migrationsIn(folder)
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n')
  return globSync('src/*/schema.sql')
    .sort()
    .map((file) => readFileSync(file, 'utf8').trim())
    .flatMap((sql) => {
      const statements = sql.split(BREAKPOINT).map((one) => one.replace(/^(?:\s*--[^\n]*\n)+/, '').trim())
      return statements.every((one) => migrations.includes(one)) ? [] : [statements.join(`\n${BREAKPOINT}\n`)]
    })
}

/**
 * Puts it at the end of the migration that this process is about to make, when it has. A migration that was there
 * before is left alone: it may have been applied.
 */
export function carryHandWrittenSql(folder: string): void {
  const before = new Set(migrationsIn(folder))
  process.once('exit', () => {
    const made = migrationsIn(folder).find((file) => !before.has(file))
    if (made === undefined) return
    for (const sql of missingSql(folder)) appendFileSync(made, `\n${BREAKPOINT}\n${sql}\n`)
  })
}
