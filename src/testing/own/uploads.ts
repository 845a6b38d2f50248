import { uuidv7 } from '../../core/index.ts'
import type { AnyDatabase, CriticalSource } from '../../db/index.ts'
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
} from '../../uploads/records.ts'
import { uploads } from '../../uploads/schema.ts'

const of = (db: AnyDatabase): UploadsDatabase => db as unknown as UploadsDatabase
const before = (): Date => new Date(Date.now() - 3_600_000)

/** What uploads ask of Postgres. */
export const uploadQueries: Readonly<Record<string, CriticalSource>> = {
  'uploads.reserve': async (db, pick) => {
    const id = uuidv7()
    const upload = {
      id,
      ownerId: await pick(uploads.ownerId),
      kind: 'image',
      key: `image/${id}`,
      originalName: 'a.png',
      declaredType: 'image/png',
      bytes: 1000,
    }
    await db.execute(reserveStatement(upload, { bytes: 1e12, files: 1e6 }))
  },
  'uploads.received': async (db, pick) => {
    const received = { type: 'image/png', size: 1000, sha256: 'a'.repeat(64), version: 'v1' }
    await db.execute(receivedStatement(await pick(uploads.id), received))
  },
  'uploads.end': async (db, pick) => {
    await db.execute(endStatement(await pick(uploads.id), 'deleted'))
  },
  'uploads.find': async (db, pick) => findUpload(of(db), await pick(uploads.id)),
  'uploads.publish': async (db, pick) => markPublished(of(db), await pick(uploads.id)),
  'uploads.purged': async (db, pick) => markPurged(of(db), await pick(uploads.id)),
  'uploads.sweep-unfinished': (db) => findUnfinished(of(db), ['reserved', 'receiving'], before(), 100),
  'uploads.sweep-unpurged': (db) => findUnpurged(of(db), before(), 50),
}
