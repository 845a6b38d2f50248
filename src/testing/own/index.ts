import * as openid from '../../auth/openid/schema.ts'
import * as passkeys from '../../auth/passkeys/schema.ts'
import * as auth from '../../auth/schema.ts'
import type { AnyDatabase, CriticalQuery } from '../../db/index.ts'
import { createQueryHistory } from '../../db-health/history.ts'
import * as health from '../../db-health/schema.ts'
import * as jobs from '../../jobs/schema.ts'
import * as uploads from '../../uploads/schema.ts'
import { authQueries } from './auth.ts'
import { jobQueries } from './jobs.ts'
import { uploadQueries } from './uploads.ts'

export { ownColumns } from './columns.ts'

/** Every table of the SDK. */
export const ownSchema: Readonly<Record<string, unknown>> = {
  ...auth,
  ...passkeys,
  ...openid,
  ...jobs,
  ...uploads,
  ...health,
}

/** Every query of the SDK, to be examined like an application's own. */
export const ownQueries: readonly CriticalQuery[] = Object.entries({
  ...authQueries,
  ...jobQueries,
  ...uploadQueries,
  'queries.findings': (db: AnyDatabase) => createQueryHistory({ db }).findings(),
}).map(([name, source]) => ({ name, source }))
