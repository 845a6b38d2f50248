import { lchownSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Account } from './account.ts'

/** Whether a path belongs to root, which the server cannot use. */
export function ownedByRoot(path: string): boolean {
  return statSync(path).uid === 0
}

/** Gives a folder and all that is in it to a user. */
export function chownTree(path: string, account: Account): void {
  lchownSync(path, account.uid, account.gid)
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    lchownSync(join(entry.parentPath, entry.name), account.uid, account.gid)
  }
}
