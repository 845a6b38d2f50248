import type { Manifest } from '../../backup/manifest.ts'
import type { RestoreReport } from './restore.ts'

/** Columns of text, the numbers to the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, String(cell).length)
  }
  return rows
    .map((row) =>
      row
        .map((cell, at) =>
          typeof cell === 'number' ? String(cell).padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Bytes for people. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let [value, unit] = [bytes, 0]
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** Bytes and rows of a backup. */
export function totals(manifest: Manifest): { rows: number; bytes: number } {
  let [rows, bytes] = [0, 0]
  for (const one of manifest.tables) {
    rows += one.rows
    for (const chunk of one.chunks) bytes += chunk.bytes
  }
  return { rows, bytes }
}

/** A restore, table by table. */
export function restoreTable(report: RestoreReport): string {
  return table([
    ['table', 'rows', 'found', ''],
    ...report.tables.map((one) => [
      one.table,
      one.rowsExpected,
      one.rowsFound,
      one.same ? 'same' : 'DIFFERENT',
    ]),
    ...report.sequences.map((name) => [name, '', '', 'sequence DIFFERENT']),
  ])
}
