import { type Finding, finding } from '../finding.ts'
import { type MigrationStatement, statementsOf } from './statements.ts'

/** A finding of the lint, and where. */
export interface LintFinding extends Finding {
  /** What `-- breakwater: allow <rule>` permits. */
  readonly rule: string
  readonly file: string
  readonly line: number
}

/** A migration to be looked at. */
export interface MigrationFile {
  readonly name: string
  readonly sql: string
}

interface Rule {
  readonly rule: string
  /** Groups: the table, and what else the message names. */
  readonly when: RegExp
  readonly unless?: RegExp
  readonly message: (table: string, name: string) => string
  readonly hint: (table: string, name: string) => string
}

const N = '((?:"[^"]+"|[\\w$]+)(?:\\.(?:"[^"]+"|[\\w$]+))?)'
const ALTER = `^alter table (?:if exists )?(?:only )?${N} (?:.*, )?`
const on = (rest: string): RegExp => new RegExp(`${ALTER}${rest}`, 'is')

const RULES: readonly Rule[] = [
  {
    rule: 'index',
    when: new RegExp(`^create (?:unique )?index (?!concurrently).*?\\bon (?:only )?${N}`, 'is'),
    message: (table) => `An index on ${table} without CONCURRENTLY stops its writes`,
    hint: () => 'create index concurrently …',
  },
  {
    rule: 'drop-index',
    when: new RegExp(`^drop index (?!concurrently)(?:if exists )?${N}`, 'is'),
    message: (index) => `Dropping ${index} without CONCURRENTLY stops its table`,
    hint: (index) => `drop index concurrently ${index};`,
  },
  {
    rule: 'not-null-column',
    when: on(`add (?:column )?(?:if not exists )?("[^"]+"|\\w+) (?!constraint)[^,]*\\bnot null\\b`),
    unless: /\bdefault\b|\bgenerated\b|\bserial\b/i,
    message: (table, column) => `${table}.${column} is added NOT NULL without a default`,
    hint: (table, column) =>
      `alter table ${table} add column ${column} … ; -- fill it, then: add check (${column} is not null) not valid`,
  },
  {
    rule: 'rewrite',
    when: on(
      `add (?:column )?(?:if not exists )?("[^"]+"|\\w+) [^,]*(?:\\bdefault (?:gen_random_uuid|uuidv7|random|clock_timestamp|nextval)\\b|\\b(?:big|small)?serial\\b|\\bgenerated (?:always|by default) as (?:identity|\\([^)]*\\).*stored))`,
    ),
    message: (table, column) => `${table}.${column} is computed for each row: a rewrite`,
    hint: (table, column) =>
      `alter table ${table} add column ${column} …; -- fill it in batches, then set the default`,
  },
  {
    rule: 'set-not-null',
    when: on('alter (?:column )?("[^"]+"|\\w+) set not null'),
    message: (table, column) => `SET NOT NULL on ${table}.${column} reads all of it, locked`,
    hint: (table, column) =>
      `alter table ${table} add constraint ${column.replaceAll('"', '')}_not_null check (${column} is not null) not valid; alter table ${table} validate constraint …; then set not null`,
  },
  {
    rule: 'type',
    when: on('alter (?:column )?("[^"]+"|\\w+) (?:set data )?type\\b'),
    message: (table, column) => `Another type for ${table}.${column} rewrites the table, locked`,
    hint: (table, column) =>
      `alter table ${table} add column ${column.replaceAll('"', '')}_new …; -- fill, swap, drop`,
  },
  {
    rule: 'foreign-key',
    when: on('add (?:constraint ("[^"]+"|\\w+) )?foreign key\\b'),
    unless: /\bnot valid\b/i,
    message: (table) => `A foreign key on ${table} without NOT VALID locks two tables`,
    hint: (table, name) =>
      `alter table ${table} add constraint ${name || '…'} foreign key … not valid; alter table ${table} validate constraint ${name || '…'};`,
  },
  {
    rule: 'foreign-key',
    when: on('add column (?:if not exists )?("[^"]+"|\\w+) [^,]*\\breferences\\b'),
    message: (table) => `A column with REFERENCES on ${table} locks two tables`,
    hint: (table) => `alter table ${table} add column …; alter table ${table} add foreign key … not valid;`,
  },
  {
    rule: 'check',
    when: on('add (?:constraint ("[^"]+"|\\w+) )?check\\b'),
    unless: /\bnot valid\b/i,
    message: (table) => `A check on ${table} without NOT VALID reads all of it, locked`,
    hint: (table, name) =>
      `alter table ${table} add constraint ${name || '…'} check … not valid; alter table ${table} validate constraint ${name || '…'};`,
  },
  {
    rule: 'unique',
    when: on('add (?:constraint ("[^"]+"|\\w+) )?(?:unique|primary key|exclude)\\b'),
    unless: /\busing index\b/i,
    message: (table) => `A key on ${table} builds its index locked`,
    hint: (table, name) =>
      `create unique index concurrently … on ${table} (…); alter table ${table} add constraint ${name || '…'} unique using index …;`,
  },
  {
    rule: 'rename',
    when: on('rename (?:column )?(?:("[^"]+"|\\w+) )?to\\b'),
    message: (table) => `A rename on ${table} breaks the version that still runs`,
    hint: () => '-- add the new one, write both, move readers, then drop the old one',
  },
  {
    rule: 'drop',
    when: on('drop column (?:if exists )?("[^"]+"|\\w+)'),
    message: (table, column) => `Dropping ${table}.${column} breaks the version that still runs`,
    hint: () => '-- deploy without it first, then: -- breakwater: allow drop',
  },
  {
    rule: 'drop',
    when: new RegExp(`^drop table (?:if exists )?${N}`, 'is'),
    message: (table) => `Dropping ${table} breaks the version that still runs`,
    hint: () => '-- deploy without it first, then: -- breakwater: allow drop',
  },
  {
    rule: 'exclusive',
    when: new RegExp(
      `^(?:vacuum \\(?full\\)?|cluster|reindex (?:\\(.*?\\) )?(?:index|table|schema) (?!concurrently)|refresh materialized view (?!concurrently)|lock table|truncate(?: table)?)\\s*${N}`,
      'is',
    ),
    message: (table) => `This locks ${table} against everybody`,
    hint: () => '-- use its CONCURRENTLY form, or a window in which nobody comes',
  },
  {
    rule: 'update-all',
    when: new RegExp(`^(?:update|delete from) (?:only )?${N}(?!.*\\bwhere\\b)`, 'is'),
    message: (table) => `This changes every row of ${table} in one transaction`,
    hint: () => '-- in batches by key, from a job',
  },
]

const plain = (name: string): string => name.replaceAll('"', '').toLowerCase()

/** Tables that a migration makes itself: nobody uses them yet, so nothing of theirs can be locked. */
function madeHere(statements: readonly MigrationStatement[]): Set<string> {
  const made = new Set<string>()
  for (const { sql } of statements) {
    const match = new RegExp(
      `^create (?:unlogged |temp |temporary )?table (?:if not exists )?${N}`,
      'i',
    ).exec(sql)
    if (match?.[1] !== undefined) made.add(plain(match[1]))
  }
  return made
}

/**
 * 29: what in migrations locks a live table, or breaks the version that is still running. A statement is let through
 * when a comment before it says so: `-- breakwater: allow index`.
 */
export function lintMigrations(files: readonly MigrationFile[]): LintFinding[] {
  return files.flatMap(({ name: file, sql }) => {
    const statements = statementsOf(sql)
    const made = madeHere(statements)
    return statements.flatMap((statement) =>
      RULES.flatMap((rule): LintFinding[] => {
        const [, table, name = ''] = rule.when.exec(statement.sql) ?? []
        if (table === undefined || made.has(plain(table)) || rule.unless?.test(statement.sql) === true)
          return []
        if (statement.allowed.has(rule.rule)) return []
        const found = finding(
          'DB-29',
          'error',
          rule.message(plain(table), plain(name)),
          rule.hint(table, name),
        )
        return [{ ...found, rule: rule.rule, file, line: statement.line }]
      }),
    )
  })
}

/** Names of rules that `-- breakwater: allow` knows. */
export const lintRules: readonly string[] = [...new Set(RULES.map(({ rule }) => rule))]
