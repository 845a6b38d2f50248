/** One statement of a migration. */
export interface MigrationStatement {
  /** Without comments and what strings say, each white space one space. */
  readonly sql: string
  /** As it is written. */
  readonly text: string
  /** What a comment `-- breakwater: allow <rule>` before it, or in it, permits. */
  readonly allowed: ReadonlySet<string>
  readonly line: number
}

// Strings, quoted names and comments are passed over whole; a semicolon outside of them ends a statement.
const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|;|[^;'"$\-/eE]+|[\s\S]/g

/** Splits a migration into statements. Drizzle's breakpoints are comments and end one too. */
export function statementsOf(migration: string): MigrationStatement[] {
  const found: MigrationStatement[] = []
  let text = ''
  let sql = ''
  let line = 1
  let start = 1
  let allowed = new Set<string>()
  const finish = (): void => {
    const plain = sql.replace(/\s+/g, ' ').trim()
    if (plain !== '') {
      found.push({ sql: plain, text: text.trim(), allowed, line: start })
      allowed = new Set()
    }
    text = ''
    sql = ''
  }
  for (const [token] of migration.matchAll(TOKEN)) {
    const leading = /^\s*/.exec(token)?.[0] ?? ''
    if (sql.trim() === '') start = line + leading.split('\n').length - 1
    line += token.split('\n').length - 1
    if (token === ';' || /^-->\s*statement-breakpoint/.test(token)) {
      finish()
      continue
    }
    const permit = /^--\s*breakwater:\s*allow\s+([\w-]+(?:\s*,\s*[\w-]+)*)/.exec(token)?.[1]
    for (const rule of permit?.split(/\s*,\s*/) ?? []) allowed.add(rule)
    if (/^(--|\/\*)/.test(token)) sql += ' '
    // What a string says is no SQL.
    else sql += /^[eE]?'/.test(token) ? "''" : token
    text += token
  }
  finish()
  return found
}
