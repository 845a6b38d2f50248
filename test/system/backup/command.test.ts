import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { getPlatformProxy, unstable_startWorker as startWorker } from 'wrangler'
import { migrate } from '../../../src/local/postgres/index.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { EVERYTHING, ROWS } from './schema.ts'
import { KEY, migrationsFolder } from './support.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'breakwater-backup-'))
const config = join(folder, 'wrangler.json')
const state = join(folder, 'state')
const copied = join(folder, 'copied')
const migrations = migrationsFolder([EVERYTHING])
const credentials = { accessKeyId: 'local', secretAccessKey: 'local-secret-key' }
let source: ScratchDatabase
let overS3: { list: Ran; verify: Ran; stranger: Ran; elsewhere: Ran }

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** `npx breakwater …`, as somebody types it. */
function breakwater(args: readonly string[], env: Record<string, string | undefined> = {}): Promise<Ran> {
  const all = { ...process.env, WRANGLER_SEND_METRICS: 'false', BACKUP_KEY: KEY, ...env }
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(ROOT, 'src', 'cli', 'main.ts'), 'backup', ...args],
      { cwd: folder, env: all },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
  })
}

beforeAll(async () => {
  source = await scratchDatabase({ migrations: false })
  await migrate({ url: source.url, folder: migrations.folder })
  await source.pool.query(ROWS)
  await source.pool.query(
    'insert into many select i, repeat(md5(i::text), 8) from generate_series(1, 50000) i',
  )
  const local_dev = { experimental_s3_credentials: credentials }
  const bucket = { binding: 'BACKUPS', bucket_name: 'backups', local_dev }
  const shared = {
    name: 'backup-test',
    main: join(import.meta.dirname, 'app.ts'),
    compatibility_date: '2026-10-01',
    compatibility_flags: ['nodejs_compat'],
    r2_buckets: [bucket],
  }
  const vars = { DATABASE_URL: source.url, NEON_ENDPOINT: source.endpoint, BACKUP_KEY: KEY }
  writeFileSync(config, JSON.stringify({ ...shared, vars }))
  const worker = await startWorker({
    config,
    dev: {
      server: { hostname: '127.0.0.1', port: 0 },
      inspector: false,
      logLevel: 'none',
      persist: state,
      watch: false,
    },
  })
  try {
    await worker.ready
    for (let i = 0; i < 2; i++) {
      const response = await fetch(await worker.url)
      const text = await response.text()
      expect(response.status, text).toBe(200)
      expect(JSON.parse(text)).toMatchObject({ status: 'complete', notCovered: [], pruned: [] })
    }
    overS3 = await readOverS3(String(await worker.url))
  } finally {
    await worker.dispose()
  }
  // What `rclone copy` would make of the bucket.
  const proxy = await getPlatformProxy<{ BACKUPS: R2Bucket }>({
    configPath: config,
    persist: { path: join(state, 'v3') },
  })
  for (const { key } of (await proxy.env.BACKUPS.list()).objects) {
    const path = join(copied, key)
    mkdirSync(dirname(path), { recursive: true })
    const object = await proxy.env.BACKUPS.get(key)
    writeFileSync(path, Buffer.from((await object?.arrayBuffer()) ?? new ArrayBuffer(0)))
  }
  await proxy.dispose()
})

async function readOverS3(url: string): Promise<typeof overS3> {
  const env = {
    R2_ENDPOINT: `${url.replace(/\/$/, '')}/cdn-cgi/local/r2/s3`,
    R2_BUCKET: 'backups',
    R2_ACCESS_KEY_ID: credentials.accessKeyId,
    R2_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  }
  const [list, verify, stranger, elsewhere] = await Promise.all([
    breakwater(['list', '--from', 's3', '--json'], env),
    breakwater(['verify', '--from', 's3'], env),
    breakwater(['list', '--from', 's3'], { ...env, R2_SECRET_ACCESS_KEY: 'wrong' }),
    breakwater(['list', '--from', 's3'], { ...env, R2_BUCKET: 'nowhere' }),
  ])
  return { list, verify, stranger, elsewhere }
}

afterAll(() => {
  migrations.remove()
  rmSync(folder, { recursive: true, force: true })
})

describe('a backup made in workerd', () => {
  it('is listed, verified and restored from the local bucket', async () => {
    const local = ['--from', 'local', '--config', config, '--persist', join(state, 'v3')]
    // The key of a local stack is found where the stack keeps it.
    const list = await breakwater(['list', '--json', ...local], { BACKUP_KEY: undefined })
    expect(list.code, list.err).toBe(0)
    const { backups } = JSON.parse(list.out.trim().split('\n').at(-1) ?? '')
    expect(backups).toHaveLength(2)
    expect(backups[0].rows).toBeGreaterThan(50_000)

    const target = await scratchDatabase({ migrations: false })
    const restored = await breakwater([
      'restore',
      ...local,
      '--id',
      backups[1].id,
      '--to',
      target.url,
      '--migrations',
      migrations.folder,
    ])
    expect(restored.code, restored.err).toBe(0)
    expect(restored.out).toMatch(/public\.many +50000 +50000 {2}same/)
    expect(restored.out).toContain('everything is the same')
    const digest = "select count(*) as n, md5(string_agg(payload, ',' order by id)) as all from many"
    const [was, is] = await Promise.all([source.pool.query(digest), target.pool.query(digest)])
    expect(is.rows).toEqual(was.rows)
  })

  it('is read over the S3 API, with signed requests', () => {
    expect(overS3.list.code, overS3.list.err).toBe(0)
    expect(JSON.parse(overS3.list.out).backups).toHaveLength(2)
    expect(overS3.verify.code, overS3.verify.err).toBe(0)
    expect(overS3.verify.out).toContain('is whole')
    expect(overS3.stranger.code).toBe(1)
    expect(overS3.stranger.err).toMatch(/^R2 answered 403 \(SignatureDoesNotMatch\)/)
    expect(overS3.elsewhere.code).toBe(1)
    expect(overS3.elsewhere.err).toMatch(/^There is no bucket nowhere|^R2 answered/)
  })

  it('is read from a folder too', async () => {
    const verified = await breakwater(['verify', '--from', copied])
    expect(verified.code, verified.err).toBe(0)
    expect(verified.out).toContain('is whole')
  })
})

describe('the command says in one sentence what is wrong', () => {
  const other = Buffer.alloc(32, 9).toString('base64')
  it.each<[string, string[], Record<string, string | undefined>, number, RegExp]>([
    ['no key', ['list', '--from', copied], { BACKUP_KEY: undefined }, 2, /^BACKUP_KEY is not set/],
    ['a short key', ['list', '--from', copied], { BACKUP_KEY: 'abc' }, 2, /32 random bytes/],
    ['another key', ['verify', '--from', copied], { BACKUP_KEY: other }, 1, /not among the keys given/],
    ['no target', ['restore', '--from', copied], { RESTORE_URL: undefined }, 2, /restore needs --to/],
    ['a target that is no URL', ['restore', '--from', copied, '--to', 'x'], {}, 2, /needs a Postgres URL/],
    [
      'a target that is away',
      ['restore', '--from', copied, '--to', 'postgres://a:secret@127.0.0.1:1/x'],
      {},
      1,
      /does not answer/,
    ],
    ['no such backup', ['verify', '--from', copied, '--id', 'x'], {}, 1, /no complete backup x/],
    ['no such action', ['rescue'], {}, 2, /needs one of/],
    [
      'S3 without credentials',
      ['list', '--from', 's3'],
      { R2_ACCOUNT_ID: undefined, R2_ENDPOINT: undefined },
      2,
      /R2_ACCOUNT_ID/,
    ],
  ])('%s', async (_, args, env, code, message) => {
    const ran = await breakwater(
      [...args, ...(args[0] === 'restore' ? ['--migrations', migrations.folder] : [])],
      env,
    )
    expect(ran.err).toMatch(message)
    expect(ran.code).toBe(code)
    expect(ran.err.trim().split('\n')).toHaveLength(1)
    expect(ran.err).not.toContain('secret')
  })

  it('the database in use as target', async () => {
    const inUse = await scratchDatabase({ migrations: false })
    const ran = await breakwater(
      ['restore', '--from', copied, '--to', inUse.url, '--migrations', migrations.folder],
      { DATABASE_URL: inUse.url },
    )
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining('the database of DATABASE_URL') })
  })
})
