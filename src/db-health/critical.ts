import { declareInto } from '../db/critical.ts'
import type { CriticalQuery } from '../db/index.ts'
import { createQueryHistory } from './history.ts'

/** What the history asks of Postgres, for tests of its plans. */
export const historyQueries: CriticalQuery[] = []
const critical = declareInto(historyQueries)

critical('queries.snapshot', (db) => createQueryHistory({ db }).snapshot())
critical('queries.findings', (db) => createQueryHistory({ db }).findings())
