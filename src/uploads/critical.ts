import { uuidv7 } from '../core/index.ts'
import { declareInto } from '../db/critical.ts'
import type { AnyDatabase, CriticalQuery, PickValue } from '../db/index.ts'
import { listUploads } from './list.ts'
import { accounted, rowsBetween } from './reconcile.ts'
import {
  endStatement,
  findUnfinished,
  findUnpurged,
  findUpload,
  markPublished,
  markPurged,
  receivedStatement,
  reserveStatement,
  type UploadsDatabase,
} from './records.ts'
import { uploads, uploadTransfers } from './schema.ts'
import {
  claim,
  declareLength,
  findComplete,
  findTransfer,
  forgetTransfers,
  releaseLease,
  renewLease,
  saveProgress,
  transferOf,
} from './transfer-records.ts'

/** What uploads ask of Postgres, for tests of its plans. */
export const uploadQueries: CriticalQuery[] = []
const critical = declareInto(uploadQueries)

const of = (db: AnyDatabase): UploadsDatabase => db as unknown as UploadsDatabase
const before = (): Date => new Date(Date.now() - 3_600_000)
const QUOTA = { bytes: 1e12, files: 1e6 } as const

async function reserve(db: AnyDatabase, pick: PickValue): Promise<{ id: string; ownerId: string }> {
  const [id, ownerId] = [uuidv7(), await pick(uploads.ownerId)]
  const expiresAt = new Date(Date.now() + 86_400_000)
  const transfer = { mode: 'tus', length: undefined, partBytes: 8_388_608, expiresAt } as const
  const declared = { kind: 'image', key: `image/${id}`, originalName: 'a.png', declaredType: 'image/png' }
  await db.execute(reserveStatement({ id, ownerId, ...declared, bytes: 1000, transfer }, QUOTA))
  return { id, ownerId }
}

critical('uploads.reserve', reserve)
critical('uploads.received', async (db, pick) => {
  const received = { type: 'image/png', size: 1000, sha256: 'a'.repeat(64) }
  await db.execute(receivedStatement(await pick(uploads.id), received))
})
critical('uploads.receive-in-parts', async (db, pick) => {
  const { id, ownerId } = await reserve(db, pick)
  const token = uuidv7()
  const progress = { receivedBytes: 10, multipartId: null, etags: [], tailKey: `tail/${id}` }
  await claim(of(db), { id, ownerId, token, offset: 0 })
  await declareLength(of(db), id, token, 10)
  await renewLease(of(db), id, token)
  await saveProgress(of(db), id, token, progress, true)
  await releaseLease(of(db), id, token)
  await transferOf(of(db), id)
  await db.execute(receivedStatement(id, { size: 10 }))
  await markPublished(of(db), id, { type: 'image/png', sha256: 'a'.repeat(64), version: 'v1' })
})
critical('uploads.transfer', async (db, pick) =>
  findTransfer(of(db), await pick(uploadTransfers.uploadId), await pick(uploads.ownerId)),
)
critical('uploads.end', async (db, pick) => {
  await db.execute(endStatement(await pick(uploads.id), 'deleted'))
})
critical('uploads.find', async (db, pick) => findUpload(of(db), await pick(uploads.id)))
critical('uploads.list', async (db, pick) => listUploads(of(db), await pick(uploads.ownerId), {}))
critical('uploads.list-further', async (db, pick) =>
  listUploads(of(db), await pick(uploads.ownerId), { state: 'published', after: await pick(uploads.id) }),
)
critical('uploads.publish', async (db, pick) => markPublished(of(db), await pick(uploads.id)))
critical('uploads.purged', async (db, pick) => markPurged(of(db), await pick(uploads.id)))
critical('uploads.sweep-complete', (db) => findComplete(of(db), before(), 10))
critical('uploads.sweep-unfinished', (db) => findUnfinished(of(db), ['reserved', 'receiving'], before(), 100))
critical('uploads.sweep-unprocessed', (db) =>
  findUnfinished(of(db), ['quarantined', 'scanned'], before(), 10),
)
critical('uploads.sweep-unpurged', (db) => findUnpurged(of(db), before(), 50))
critical('uploads.reconcile', async (db, pick) => {
  const [key, tail] = [await pick(uploads.key), await pick(uploadTransfers.tailKey)]
  await accounted(of(db), [key, tail, 'unknown'])
  await rowsBetween(of(db), '', key.slice(0, -1), key, 0)
})
critical('uploads.sweep-transfers', (db) => forgetTransfers(of(db), 50))
