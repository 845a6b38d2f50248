import { columnList, qualified, type TableInfo } from './catalog.ts'
import type { BackupConnection } from './connection.ts'
import { BackupError } from './errors.ts'

/** What a chunk should come to, before compression. One is held in memory. */
const CHUNK_BYTES = 4 * 1024 * 1024
/** What a range may come to at the very most: an isolate has 128 MB for everything. */
const MAX_RANGE_BYTES = 40 * 1024 * 1024
const FIRST_PAGES = 64

/** Some rows of a table, as COPY's text format. */
export interface Rows {
  readonly pieces: readonly Uint8Array[]
  readonly bytes: number
  readonly rows: number
}

/** In COPY's text format a line break ends a row and stands nowhere else. */
function countRows(pieces: readonly Uint8Array[]): number {
  let rows = 0
  for (const piece of pieces) {
    for (let at = piece.indexOf(10); at !== -1; at = piece.indexOf(10, at + 1)) rows += 1
  }
  return rows
}

/**
 * Reads a table in ranges of its pages. A WebSocket has no back-pressure, so that a whole table could not be read at
 * once; a range of pages is found without an index, and under one snapshot the ranges together are the table. The next
 * range is as long as the last ones say it may be.
 */
export async function* readRanges(connection: BackupConnection, table: TableInfo): AsyncGenerator<Rows> {
  const columns = columnList(table.columns)
  let page = 0
  let pages = FIRST_PAGES
  while (page < table.pages) {
    const end = Math.min(page + pages, table.pages)
    // The last range is open: pages that were added since hold nothing that this snapshot sees.
    const upper = end === table.pages ? '' : `and ctid < '(${end},0)'::tid`
    const text = `copy (select ${columns} from only ${qualified(table)} where ctid >= '(${page},0)'::tid ${upper}) to stdout`
    let pieces: Uint8Array[]
    try {
      pieces = await connection.copyOut(text, MAX_RANGE_BYTES)
    } catch (error) {
      if (!(error instanceof BackupError)) throw error
      // Rows far longer than those before: take fewer of them.
      if (end - page > 1) {
        pages = Math.ceil((end - page) / 8)
        continue
      }
      throw new BackupError(
        'range-too-large',
        `One page of table ${table.schema}.${table.name} holds rows of more than ${MAX_RANGE_BYTES} bytes together, too many for a Worker to hold.`,
      )
    }
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    if (bytes > 0) yield { pieces, bytes, rows: countRows(pieces) }
    const perPage = Math.max(1, bytes / (end - page))
    pages = Math.max(1, Math.min(pages * 4, Math.floor(CHUNK_BYTES / perPage)))
    page = end
  }
}
