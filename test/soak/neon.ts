import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNeonApp } from '../../src/local/neon/index.ts'
import { startPostgres } from '../../src/local/postgres/index.ts'
import { serveStandIn } from '../../src/local/server.ts'
import { compareNeon } from '../system/neon/differential.ts'

/** `npm run soak -- neon`: every case on every way through the stand-in, against Postgres itself. */
export async function run(): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'breakwater-neon-'))
  const postgres = await startPostgres({ dataDir: root, durable: false })
  const standIn = await serveStandIn(createNeonApp({ connect: postgres.url }))
  try {
    const { compared, differing } = await compareNeon({ url: postgres.url, endpoint: standIn.url })
    if (differing.length > 0)
      throw new Error(`${differing.length} differ: ${JSON.stringify(differing, null, 2)}`)
    return `${compared} answers compared, none differs.`
  } finally {
    await standIn.stop()
    await postgres.stop()
    rmSync(root, { recursive: true, force: true })
  }
}
