import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Local, type LocalOptions, startLocal } from '../../src/local/index.ts'

/** Runs something on a local stack of its own, whose state goes with it. */
export async function withStack<T>(
  options: Omit<LocalOptions, 'state'>,
  run: (local: Local) => Promise<T>,
): Promise<T> {
  const state = mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
  // As root, Postgres runs as a user of its own, who must get through.
  chmodSync(state, 0o755)
  let local: Local | undefined
  try {
    local = await startLocal({ ...options, state, crons: false })
    return await run(local)
  } finally {
    await local?.stop()
    rmSync(state, { recursive: true, force: true })
  }
}
