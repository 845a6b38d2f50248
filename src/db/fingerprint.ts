const known = new Map<string, string>()
const MAX_KNOWN = 500
const MAX_LENGTH = 300

// Comments, strings of every kind, numbers; identifiers in quotes and parameters stay.
const LITERAL =
  /--[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|\b[xXbB]?'(?:[^']|'')*'|'(?:[^']|'')*'|\$\d+|\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b/g

function make(sql: string): string {
  const text = sql
    .replace(LITERAL, (match) => {
      if (match.startsWith('--') || match.startsWith('/*')) return ' '
      if (match.startsWith('"')) return match
      return '?'
    })
    .replace(/\s+/g, ' ')
    // One shape however many values: in (?, ?, ?) and values (?, ?), (?, ?).
    .replace(/\(\s*(?:\?|default)(?:\s*,\s*(?:\?|default))+\s*\)/gi, '(…)')
    .replace(/(\((?:…|\?|default)\))(?:\s*,\s*\((?:…|\?|default)\))+/gi, '$1, …')
    .trim()
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text
}

/**
 * The shape of a statement: every literal and parameter becomes `?`, lists of them `(…)`. The same for statements
 * that differ in values only, and safe to show, since the values are gone.
 */
export function fingerprint(sql: string): string {
  const found = known.get(sql)
  if (found !== undefined) return found
  if (known.size >= MAX_KNOWN) known.clear()
  const made = make(sql)
  // A text with values inside is not kept, and would not be seen again either.
  if (sql.length < 4 * MAX_LENGTH) known.set(sql, made)
  return made
}
