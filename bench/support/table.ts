/** A Markdown table; columns of numbers go to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map(String))
  const widths = head.map((name, i) => Math.max(3, name.length, ...cells.map((row) => row[i]?.length ?? 0)))
  const right = head.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number'))
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, i) => (row[i] ?? '')[right[i] ? 'padStart' : 'padEnd'](width)).join(' | ')} |`
  const rule = widths.map((width, i) => `${'-'.repeat(width - 1)}${right[i] ? ':' : '-'}`).join(' | ')
  return [line(head), `| ${rule} |`, ...cells.map(line)].join('\n')
}
