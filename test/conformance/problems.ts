import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Local, startLocal } from '../../src/local/index.ts'
import type { Suite } from './main.ts'
import { problemRows } from './problems-rows.ts'
import { conformance } from './table.ts'

/** RFC 9457 and what we promise beside it, asked of the reference app on the local stack. */
export const run: Suite['run'] = async () => {
  const state = mkdtempSync(join(tmpdir(), 'breakwater-problems-'))
  const lines: string[] = []
  let local: Local | undefined
  try {
    local = await startLocal({
      state,
      crons: false,
      onLog: (part, line) => part === 'worker' && lines.push(line),
    })
    return conformance('problems', await problemRows(local, lines))
  } finally {
    await local?.stop()
    rmSync(state, { recursive: true, force: true })
  }
}
