import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { getPlatformProxy } from 'wrangler'
import { main } from '../../../src/cli/main.ts'
import { uuidv7 } from '../../../src/core/index.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'

const folder = mkdtempSync(join(tmpdir(), 'breakwater-uploads-command-'))
const config = join(folder, 'wrangler.json')
const persist = join(folder, 'state')
let database: ScratchDatabase

async function bucket<T>(use: (bucket: R2Bucket) => Promise<T>): Promise<T> {
  const proxy = await getPlatformProxy<{ UPLOADS: R2Bucket }>({
    configPath: config,
    persist: { path: persist },
  })
  try {
    return await use(proxy.env.UPLOADS)
  } finally {
    await proxy.dispose()
  }
}

const [whole, lost] = [uuidv7(), uuidv7()]

beforeAll(async () => {
  writeFileSync(
    config,
    JSON.stringify({
      name: 'uploads-command',
      compatibility_date: '2026-10-01',
      r2_buckets: [{ binding: 'UPLOADS', bucket_name: 'uploads' }],
    }),
  )
  database = await scratchDatabase()
  vi.stubEnv('DATABASE_URL_DIRECT', database.url)
  for (const id of [whole, lost]) {
    await database.pool.query(
      `insert into breakwater.uploads (id, owner_id, kind, state, key, original_name, type, reserved_bytes, size, sha256)
       values ($1, gen_random_uuid(), 'image', 'published', $2, 'a.png', 'image/png', 1, 1, $3)`,
      [id, `uploads/image/${id}`, '0'.repeat(64)],
    )
  }
  await bucket(async (r2) => {
    await r2.put(`uploads/image/${whole}`, 'x')
    await r2.put('uploads/image/stray', 'x')
  })
})
afterEach(() => vi.restoreAllMocks())
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

async function breakwater(...args: string[]): Promise<{ code: number; out: string }> {
  let out = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  const code = await main(['uploads', ...args])
  vi.restoreAllMocks()
  return { code, out }
}

it('counts uploads by kind and state', async () => {
  const { code, out } = await breakwater('stat', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(out)).toEqual({ uploads: [{ kind: 'image', state: 'published', count: 2, bytes: 2 }] })
  expect((await breakwater('stat')).out).toContain('image  published  2 files')
})

it('reports what is lost, and removes what is nobody’s only when told to', async () => {
  const where = ['--config', config, '--persist', persist, '--json']
  const dry = await breakwater('sweep', '--grace', '0', ...where)
  expect(dry.code).toBe(1)
  const found = { objects: 2, orphans: ['uploads/image/stray'], missing: [lost] }
  expect(JSON.parse(dry.out)).toEqual({ ...found, removed: false })
  expect(JSON.parse((await breakwater('sweep', '--yes', ...where)).out)).toMatchObject({ orphans: [] })
  expect(JSON.parse((await breakwater('sweep', '--yes', '--grace', '0', ...where)).out)).toEqual({
    ...found,
    removed: true,
  })
  const keys = await bucket(async (r2) => (await r2.list()).objects.map(({ key }) => key))
  expect(keys).toEqual([`uploads/image/${whole}`])
})
