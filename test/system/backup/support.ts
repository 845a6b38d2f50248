import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getPlatformProxy } from 'wrangler'
import type { MasterKey } from '../../../src/backup/keys.ts'
import { importKey } from '../../../src/backup/keys.ts'

/** A key that is no secret. */
export const KEY: string = Buffer.alloc(32, 7).toString('base64')

/** The keys that read what was made under {@link KEY}. */
export async function masters(...keys: string[]): Promise<MasterKey[]> {
  return Promise.all((keys.length > 0 ? keys : [KEY]).map(importKey))
}

/** R2 in workerd, used from here, with its state in a folder. */
export async function startBucket(): Promise<{
  bucket: R2Bucket
  config: string
  persist: string
  stop: () => Promise<void>
}> {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-r2-'))
  const config = join(folder, 'wrangler.toml')
  writeFileSync(
    config,
    'name = "r2"\ncompatibility_date = "2026-10-01"\n[[r2_buckets]]\nbinding = "BACKUPS"\nbucket_name = "backups"\n',
  )
  const persist = join(folder, 'state')
  const proxy = await getPlatformProxy<{ BACKUPS: R2Bucket }>({
    configPath: config,
    persist: { path: persist },
  })
  return {
    bucket: proxy.env.BACKUPS,
    config,
    persist,
    async stop() {
      await proxy.dispose()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Removes everything from a bucket. */
export async function empty(bucket: R2Bucket): Promise<void> {
  const keys = (await bucket.list()).objects.map(({ key }) => key)
  if (keys.length > 0) await bucket.delete(keys)
}

/** A folder of migrations as drizzle-kit writes it. */
export function migrationsFolder(migrations: readonly string[]): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-migrations-'))
  mkdirSync(join(folder, 'meta'))
  const entries = migrations.map((sql, idx) => {
    const tag = `000${idx}_${createHash('sha256').update(sql).digest('hex').slice(0, 6)}`
    writeFileSync(join(folder, `${tag}.sql`), sql)
    return { idx, version: '7', when: 1_760_000_000_000 + idx, tag, breakpoints: true }
  })
  writeFileSync(
    join(folder, 'meta', '_journal.json'),
    JSON.stringify({ version: '7', dialect: 'postgresql', entries }),
  )
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
