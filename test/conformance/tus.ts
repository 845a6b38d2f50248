import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLocal } from '../../src/local/index.ts'
import { signedUp } from '../system/support/signed-up.ts'
import { png } from '../system/uploads/files.ts'
import { type Conformance, conformance } from './table.ts'
import { startTusPeer } from './tus-peer.ts'
import { tusRows } from './tus-rows.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** Every MUST of tus 1.0 and its extensions, against the reference app on the whole local stack. */
export async function run(): Promise<Conformance> {
  const state = mkdtempSync(join(tmpdir(), 'breakwater-tus-'))
  chmodSync(state, 0o755)
  const local = await startLocal({ state, crons: false })
  const peer = await startTusPeer(10_000_000)
  try {
    const ada = await signedUp(local, 'ada@lighthouse.dev', 'a lamp in every window 7')
    const metadata = `kind ${base64('image')},filename ${base64('harbour.png')},filetype ${base64('image/png')}`
    const file = (size: number) => png(size)
    const ours = await tusRows({
      url: `${local.worker}/uploads/tus`,
      headers: { cookie: ada.cookie },
      metadata,
      file,
    })
    const theirs = await tusRows({ url: peer.url, headers: {}, metadata, file })
    return conformance('tus', ours, { '@tus/server': theirs })
  } finally {
    await peer.stop()
    await local.stop()
    rmSync(state, { recursive: true, force: true })
  }
}
