import { chmodSync, lchownSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Account } from './account.ts'

/**
 * Gives a data folder that belongs to somebody else, or is open to others, to the user the server runs as: Postgres
 * refuses both.
 */
export function makeUsable(data: string, account: Account | undefined): void {
  const { uid, mode } = statSync(data)
  if (account !== undefined && uid !== account.uid) {
    lchownSync(data, account.uid, account.gid)
    for (const entry of readdirSync(data, { withFileTypes: true, recursive: true })) {
      lchownSync(join(entry.parentPath, entry.name), account.uid, account.gid)
    }
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) chmodSync(data, 0o700)
}
