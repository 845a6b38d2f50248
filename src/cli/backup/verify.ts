import type { OpenBackup } from '../../backup/store.ts'
import { CommandFailed } from '../command.ts'

/** What reading a whole backup came to. */
export interface VerifyReport {
  readonly tables: number
  readonly chunks: number
  readonly rows: number
  readonly bytes: number
}

/**
 * Reads every chunk of a backup: each must be there, be what the manifest says, open under its key, and hold as many
 * rows. Says nothing about whether Postgres takes them: that is what a restore is for.
 */
export async function verify(backup: OpenBackup): Promise<VerifyReport> {
  const { tables, id } = backup.manifest
  let [chunks, rows, bytes] = [0, 0, 0]
  for (const [index, table] of tables.entries()) {
    for (const [chunk, entry] of table.chunks.entries()) {
      const plain = await backup.chunk(index, chunk)
      let found = 0
      for (let at = plain.indexOf(10); at !== -1; at = plain.indexOf(10, at + 1)) found += 1
      if (found !== entry.rows) {
        throw new CommandFailed(
          `Chunk ${chunk + 1} of table ${table.schema}.${table.name} in backup ${id} has ${found} rows and should have ${entry.rows}.`,
        )
      }
      chunks += 1
      rows += found
      bytes += entry.bytes
    }
  }
  return { tables: tables.length, chunks, rows, bytes }
}
