import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Adapter, NotApplicable, type Requirement } from './asvs/adapter.ts'
import { startBreakwater } from './asvs/breakwater.ts'
import { authenticationRows } from './asvs/rows-authentication.ts'
import { passwordRows } from './asvs/rows-passwords.ts'
import { sessionRows } from './asvs/rows-sessions.ts'
import { webRows } from './asvs/rows-web.ts'
import { subjectOf } from './asvs/subject.ts'
import type { Suite } from './main.ts'
import { conformance, type Row } from './table.ts'

/** What OWASP ASVS 5.0 asks of accounts and sessions. */
export const requirements: readonly Requirement[] = [
  ...passwordRows,
  ...authenticationRows,
  ...sessionRows,
  ...webRows,
]

/** Asks an implementation every requirement, each of people of its own. */
export async function ask(on: Adapter, list: readonly Requirement[] = requirements): Promise<Row[]> {
  const subject = subjectOf(on)
  const rows: Row[] = []
  for (const { id, title, na, run } of list) {
    if (run === undefined) {
      rows.push({ id, title, status: 'na', ...(na !== undefined && { note: na }) })
      continue
    }
    try {
      await run(subject)
      rows.push({ id, title, status: 'pass' })
    } catch (error) {
      const note = error instanceof Error ? error.message : String(error)
      rows.push({ id, title, status: error instanceof NotApplicable ? 'na' : 'fail', note })
    }
  }
  return rows
}

/** The reference app in workerd on the local stack, answering every requirement. */
export async function askBreakwater(list?: readonly Requirement[]): Promise<Row[]> {
  const state = mkdtempSync(join(tmpdir(), 'breakwater-asvs-'))
  chmodSync(state, 0o755)
  try {
    const { adapter, stop } = await startBreakwater(state)
    try {
      return await ask(adapter, list)
    } finally {
      await stop()
    }
  } finally {
    rmSync(state, { recursive: true, force: true })
  }
}

/** OWASP ASVS 5.0, asked over HTTP of the reference app and, where it is installed, of better-auth. */
export const run: Suite['run'] = async () => {
  const ours = await askBreakwater()
  if (!existsSync(join(import.meta.dirname, '../../bench/node_modules/better-auth'))) {
    return conformance('asvs', ours)
  }
  const { startBetterAuth } = await import('./asvs/better-auth.ts')
  const { adapter, stop } = await startBetterAuth()
  try {
    const theirs = await ask(adapter)
    const rows = ours.map((row, i) => {
      const other = theirs[i]
      const note = [row.note, other && `better-auth: ${other.status}${other.note ? `, ${other.note}` : ''}`]
      return { ...row, note: note.filter((text) => text !== undefined).join('; ') }
    })
    return conformance('asvs', rows, { 'better-auth': theirs })
  } finally {
    await stop()
  }
}
