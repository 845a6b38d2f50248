import { join } from 'node:path'
import { createBackup } from 'breakwater/backup'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../../src/backup/connection.ts'
import { deriveKeys, type MasterKey } from '../../../src/backup/keys.ts'
import { beginSnapshot, readSnapshot } from '../../../src/backup/snapshot.ts'
import { chunkKey, listBackups, manifestKey, openBackup } from '../../../src/backup/store.ts'
import { restore } from '../../../src/cli/backup/restore.ts'
import { bucketSource } from '../../../src/cli/backup/sources.ts'
import { verify } from '../../../src/cli/backup/verify.ts'
import { migrate } from '../../../src/local/postgres/index.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'
import { EVERYTHING, ROWS } from './schema.ts'
import { empty, KEY, masters, migrationsFolder, startBucket } from './support.ts'

let bucket: R2Bucket
let stop: () => Promise<void>
let source: ScratchDatabase
let target: ScratchDatabase
const migrations = migrationsFolder([EVERYTHING])
const DRIZZLE = join(import.meta.dirname, '..', '..', '..', 'drizzle')

beforeAll(async () => {
  ;({ bucket, stop } = await startBucket())
  source = await scratchDatabase({ migrations: false })
  await migrate({ url: source.url, folder: migrations.folder })
  await source.pool.query(ROWS)
  target = await scratchDatabase({ migrations: false })
})

afterEach(() => empty(bucket))
afterAll(async () => {
  migrations.remove()
  await stop()
})

const backupOf = (database: ScratchDatabase, over: Partial<Parameters<typeof createBackup>[0]> = {}) =>
  createBackup({
    databaseUrl: database.url,
    endpoint: database.endpoint,
    bucket,
    encryptionKeys: [KEY],
    ...over,
  })

async function make(database = source): Promise<string> {
  const result = await backupOf(database).run()
  if (result.status !== 'complete') throw new Error(result.status)
  return result.id
}

async function open(id?: string, keys?: string[]) {
  return openBackup(bucketSource(bucket), {
    prefix: '',
    masters: await masters(...(keys ?? [])),
    ...(id && { id }),
  })
}

async function restoreInto(database: ScratchDatabase, id?: string) {
  return restore({ backup: await open(id), to: database.url, migrations: migrations.folder })
}

async function tables(database: ScratchDatabase): Promise<number> {
  const { rows } = await database.pool.query(
    "select count(*)::int as n from pg_class c join pg_namespace n on n.oid = c.relnamespace where relkind in ('r','S','m') and nspname not in ('pg_catalog','information_schema') and nspname !~ '^pg_toast'",
  )
  return rows[0].n
}

describe('a restored database', () => {
  it('has every row, type, reference and sequence of the one backed up', async () => {
    await make()
    const report = await restoreInto(target)
    expect(report.same).toBe(true)
    expect(report.warnings).toEqual([])
    const counts = Object.fromEntries(report.tables.map(({ table, rowsFound }) => [table, rowsFound]))
    expect(counts).toMatchObject({
      'public.people': 5,
      'public.types': 3,
      'public.nothing': 0,
      'public.orders': 2,
      'public.readings_2026': 2,
      'Odd Schema.Odd.Table': 2,
    })

    // Seen with other eyes than the digest's.
    for (const query of [
      'select * from people order by id',
      'select * from types order by id',
      'select * from orders order by id',
      'select * from lines order by id',
      'select * from readings order by at, value',
      'select * from order_sizes order by order_id',
      'select * from "Odd Schema"."Odd.Table" order by 1',
      'select hash, created_at from drizzle.__drizzle_migrations',
      "select conname, condeferrable, condeferred, convalidated from pg_constraint where contype = 'f' and conparentid = 0 order by 1",
      "select tgname, tgenabled from pg_trigger where not tgisinternal and tgname = 'people_touch'",
    ]) {
      const [was, is] = await Promise.all([source.pool.query(query), target.pool.query(query)])
      expect(is.rows, query).toEqual(was.rows)
      expect(is.rows.length, query).toBeGreaterThan(0)
    }
    const next = await target.pool.query(
      "select nextval('tickets') as ticket, nextval('types_id_seq') as type",
    )
    expect(next.rows[0]).toEqual({ ticket: '1002', type: '4' })
    const person = await target.pool.query("insert into people (name) values ('new') returning id")
    expect(person.rows[0].id).toBe('6')
  })

  it('is that of this package too, by its own migrations', async () => {
    const house = await scratchDatabase()
    await house.pool.query(
      `insert into breakwater.upload_usage values (gen_random_uuid(), 0, 5, 1);
       insert into breakwater.uploads (id, owner_id, kind, state, key, original_name, reserved_bytes)
       select gen_random_uuid(), gen_random_uuid(), 'avatar', 'reserved', 'k' || i, 'n' || i, i from generate_series(1, 50) i`,
    )
    const id = await make(house)
    const into = await scratchDatabase({ migrations: false })
    const report = await restore({ backup: await open(id), to: into.url, migrations: DRIZZLE })
    expect(report.same).toBe(true)
    expect(report.tables.find(({ table }) => table === 'breakwater.uploads')?.rowsFound).toBe(50)
  })

  it('goes on from the same migration', async () => {
    const again = await migrate({ url: target.url, folder: migrations.folder })
    expect(again.applied).toBe(0)
  })
})

describe('a restore is refused', () => {
  it('into a database that is not empty', async () => {
    await make()
    await expect(restoreInto(target)).rejects.toThrow(/not empty/)
  })

  it('into the database the backup is of', async () => {
    await make()
    await expect(restoreInto(source)).rejects.toThrow(/the database this backup was taken from/)
  })

  it('when the migrations are not those that were applied', async () => {
    await make()
    const other = migrationsFolder([`${EVERYTHING}\n-- changed`])
    const empty = await scratchDatabase({ migrations: false })
    await expect(restore({ backup: await open(), to: empty.url, migrations: other.folder })).rejects.toThrow(
      /not the one that was applied/,
    )
    other.remove()
  })

  it('when the live schema had drifted from its migrations, naming what', async () => {
    const drifted = await scratchDatabase({ migrations: false })
    await migrate({ url: drifted.url, folder: migrations.folder })
    await drifted.pool.query('alter table people add column surprise int')
    await drifted.pool.query('create index by_hand on lines (person_id)')
    await make(drifted)
    const empty = await scratchDatabase({ migrations: false })
    await expect(restoreInto(empty)).rejects.toThrow(/column public\.people\.surprise, index public\.by_hand/)
    expect(await tables(empty)).toBe(0)
  })
})

describe('a damaged backup is found out, and the target stays empty', () => {
  let untouched: ScratchDatabase
  beforeAll(async () => {
    untouched = await scratchDatabase({ migrations: false })
  })
  afterEach(async () => {
    expect(await tables(untouched)).toBe(0)
  })

  async function place(id: string, name: string, chunk = 0) {
    const { manifest } = await open(id)
    const table = manifest.tables.findIndex((one) => `${one.schema}.${one.name}` === name)
    return { key: chunkKey('', { backup: id, table, name, chunk }) }
  }
  const read = async (key: string) =>
    new Uint8Array((await (await bucket.get(key))?.arrayBuffer()) ?? new ArrayBuffer(0))

  it('by one changed bit', async () => {
    const id = await make()
    const { key } = await place(id, 'public.lines')
    const bytes = await read(key)
    bytes[10] = (bytes[10] ?? 0) ^ 1
    await bucket.put(key, bytes)
    await expect(restoreInto(untouched)).rejects.toThrow(
      `Chunk 1 of 1 of table public.lines in backup ${id} is damaged: its SHA-256 is not the manifest's.`,
    )
    await expect(verify(await open())).rejects.toThrow('is damaged')
  })

  it('by two chunks in each other’s place', async () => {
    const id = await make()
    const a = await place(id, 'public.lines')
    const b = await place(id, 'public.orders')
    const [first, second] = [await read(a.key), await read(b.key)]
    await bucket.put(a.key, second)
    await bucket.put(b.key, first)
    await expect(restoreInto(untouched)).rejects.toThrow('is damaged')
  })

  it('by a missing chunk', async () => {
    const id = await make()
    await bucket.delete((await place(id, 'public.people')).key)
    await expect(restoreInto(untouched)).rejects.toThrow('Chunk 1 of 1 of table public.people')
  })

  it('by another key', async () => {
    const id = await make()
    const other = Buffer.alloc(32, 8).toString('base64')
    await expect(open(id, [other])).rejects.toThrow('is not among the keys given')
    expect((await open(id, [other, KEY])).manifest.id).toBe(id)
  })

  it('by a manifest that was changed, cut, or of the future', async () => {
    const id = await make()
    const text = new TextDecoder().decode(await read(manifestKey('', id)))
    await bucket.put(manifestKey('', id), text.replace('"rows":5', '"rows":6'))
    await expect(open()).rejects.toThrow('is not the one that was signed')
    await bucket.put(manifestKey('', id), text.slice(0, 100))
    await expect(open()).rejects.toThrow('is damaged')
    await bucket.put(manifestKey('', id), text.replace('"version":1', '"version":2'))
    await expect(open()).rejects.toThrow('manifest of version 2')
    // The manifest of one backup does not pass for another's.
    const copy = id.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
    await bucket.put(manifestKey('', copy), text)
    await expect(open(copy)).rejects.toThrow('is damaged')
  })

  it('by rows that break a constraint', async () => {
    const id = await make()
    const backup = await open(id)
    // What a backup that skipped the circle would look like: a line whose order is not there.
    const lying = {
      ...backup,
      chunk: async (table: number, chunk: number) =>
        backup.manifest.tables[table]?.name === 'orders'
          ? Uint8Array.from(Buffer.from('1\t11\n'))
          : backup.chunk(table, chunk),
    }
    await expect(
      restore({ backup: lying, to: untouched.url, migrations: migrations.folder }),
    ).rejects.toThrow(/The target refused the restore \(23503, table lines/)
  })

  it('by rows that are not the ones that were counted', async () => {
    const backup = await open(await make())
    const lying = {
      ...backup,
      chunk: async (table: number, chunk: number) => {
        const bytes = await backup.chunk(table, chunk)
        if (backup.manifest.tables[table]?.name !== 'people') return bytes
        return Uint8Array.from(Buffer.from(new TextDecoder().decode(bytes).replace('Ada', 'Eve')))
      },
    }
    const report = await restore({ backup: lying, to: untouched.url, migrations: migrations.folder })
    expect(report.same).toBe(false)
    expect(report.tables.filter(({ same }) => !same)).toEqual([
      { table: 'public.people', rowsExpected: 5, rowsFound: 5, same: false },
    ])
  })
})

describe('making a backup', () => {
  it('sees one moment while others write', async () => {
    const busy = await scratchDatabase({ migrations: false })
    await migrate({ url: busy.url, folder: migrations.folder })
    await busy.pool.query("insert into many select i, repeat('x', 200) from generate_series(1, 20000) i")
    // Each write moves rows between tables, so that the sum over both is the same at every moment.
    await busy.pool.query('insert into nothing select i from generate_series(1, 500) i')
    let writing = true
    const writer = (async () => {
      for (let i = 1; writing; i++) {
        await busy.pool.query(
          'with gone as (delete from nothing where id = (select min(id) from nothing) returning id) insert into many select -id, $1 from gone',
          [`moved ${i}`],
        )
        await busy.pool.query("update many set payload = payload || 'y' where id = $1", [(i % 20000) + 1])
      }
    })()
    try {
      const id = await make(busy)
      const into = await scratchDatabase({ migrations: false })
      const report = await restoreInto(into, id)
      expect(report.same).toBe(true)
      const { rows } = await into.pool.query(
        'select (select count(*) from many) + (select count(*) from nothing) as n',
      )
      expect(rows[0].n).toBe('20500')
    } finally {
      writing = false
      await writer
    }
  })

  it('carries 200,000 rows in chunks', async () => {
    const big = await scratchDatabase({ migrations: false })
    await migrate({ url: big.url, folder: migrations.folder })
    await big.pool.query(
      "insert into many select i, md5(i::text) || repeat('é', (i % 50)::int) from generate_series(1, 200000) i",
    )
    const id = await make(big)
    const { manifest } = await open(id)
    const many = manifest.tables.find(({ name }) => name === 'many')
    expect(many?.chunks.length).toBeGreaterThan(2)
    expect(await verify(await open(id))).toMatchObject({ rows: 200_001 })
    const into = await scratchDatabase({ migrations: false })
    expect((await restoreInto(into, id)).same).toBe(true)
    const digest = "select count(*) as n, md5(string_agg(payload, ',' order by id)) as all from many"
    const [was, is] = await Promise.all([big.pool.query(digest), into.pool.query(digest)])
    expect(is.rows).toEqual(was.rows)
  })

  it('does not run twice at once', async () => {
    const holder = await source.pool.connect()
    try {
      await holder.query('begin')
      await holder.query("select pg_advisory_xact_lock(hashtextextended('breakwater.backup', 0))")
      expect(await backupOf(source).run()).toEqual({ status: 'already-running' })
      expect((await bucket.list()).objects).toEqual([])
    } finally {
      await holder.query('rollback')
      holder.release()
    }
    const both = await Promise.all([backupOf(source).run(), backupOf(source).run()])
    expect(both.some(({ status }) => status === 'complete')).toBe(true)
  })

  it('leaves nothing behind when the bucket fails half way, and the lock is free again', async () => {
    let puts = 0
    const failing = new Proxy(bucket, {
      get(target, name) {
        if (name === 'put') {
          return (...args: Parameters<R2Bucket['put']>) => {
            puts += 1
            return puts > 3 ? Promise.reject(new Error('R2 is down')) : target.put(...args)
          }
        }
        const value = Reflect.get(target, name) as unknown
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    await expect(backupOf(source, { bucket: failing }).run()).rejects.toThrow('R2 is down')
    expect((await bucket.list()).objects).toEqual([])
    await make()
  })

  it.each([
    ['emptied', 'truncate nothing'],
    ['rewritten', 'alter table nothing alter column id type bigint'],
  ])('does not take a table for empty that was %s after its moment', async (_, statement) => {
    const other = await scratchDatabase({ migrations: false })
    await other.pool.query('create table nothing (id int primary key); insert into nothing values (1), (2)')
    const connection = await connect(other.url, other.endpoint)
    try {
      expect(await beginSnapshot(connection.query)).toBe(true)
      await other.pool.query(statement)
      const { seal } = await deriveKeys((await masters())[0] as MasterKey, new Uint8Array(16))
      const signal = new AbortController().signal
      await expect(
        readSnapshot(connection, { backup: 'b', seal, signal, store: async () => {} }),
      ).rejects.toThrow('Table public.nothing was emptied or rewritten')
    } finally {
      await connection.end()
    }
  })

  it('keeps others from emptying a table while it is read', async () => {
    const connection = await connect(source.url, source.endpoint)
    try {
      await beginSnapshot(connection.query)
      const { seal } = await deriveKeys((await masters())[0] as MasterKey, new Uint8Array(16))
      await readSnapshot(connection, {
        backup: 'b',
        seal,
        signal: new AbortController().signal,
        store: async () => {
          await expect(
            source.pool.query("set lock_timeout = '10ms'; truncate many; reset lock_timeout"),
          ).rejects.toThrow('lock timeout')
        },
      })
    } finally {
      await connection.end()
    }
  })

  it('stops when it is told to', async () => {
    await expect(
      backupOf(source).run({ signal: AbortSignal.abort(new Error('time is up')) }),
    ).rejects.toThrow('time is up')
    expect((await bucket.list()).objects).toEqual([])
  })

  it('hides the rows from whoever reads the bucket', async () => {
    await make()
    for (const { key } of (await bucket.list()).objects) {
      const bytes = Buffer.from((await (await bucket.get(key))?.arrayBuffer()) ?? new ArrayBuffer(0))
      expect(bytes.includes('Ada')).toBe(false)
      expect(bytes.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))).toBe(false)
    }
  })
})

describe('pruning', () => {
  const DAY = 86_400_000
  it('keeps 30 days and always the newest, and clears what a dead run left', async () => {
    let now = Date.parse('2026-01-01T03:17:00Z')
    const backup = backupOf(source, { clock: () => now })
    const first = await backup.run()
    now += 20 * DAY
    const second = await backup.run()
    await bucket.put('data/20260101T000000Z-deadbeef/0/0', 'a run that died')
    now += 11 * DAY
    const third = await backup.run()
    if (first.status !== 'complete' || second.status !== 'complete' || third.status !== 'complete')
      throw new Error()
    expect(third.pruned).toEqual([first.id, '20260101T000000Z-deadbeef'])
    expect(await listBackups(bucketSource(bucket), '')).toEqual([second.id, third.id])
    expect((await bucket.list({ prefix: `data/${first.id}` })).objects).toEqual([])

    now += 365 * DAY
    expect(await backup.prune()).toEqual([second.id])
    expect(await backup.prune()).toEqual([])
    expect(await backup.latest()).toMatchObject({ id: third.id, proven: false })
    expect((await verify(await open(third.id))).tables).toBeGreaterThan(0)
  })
})
