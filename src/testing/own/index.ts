import { authQueries } from '../../auth/critical.ts'
import * as openid from '../../auth/openid/schema.ts'
import * as passkeys from '../../auth/passkeys/schema.ts'
import * as auth from '../../auth/schema.ts'
import type { CriticalQuery } from '../../db/index.ts'
import { historyQueries } from '../../db-health/critical.ts'
import * as health from '../../db-health/schema.ts'
import { jobQueries } from '../../jobs/critical.ts'
import * as jobs from '../../jobs/schema.ts'
import { uploadQueries } from '../../uploads/critical.ts'
import * as uploads from '../../uploads/schema.ts'

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
export const ownQueries: readonly CriticalQuery[] = [
  ...authQueries,
  ...jobQueries,
  ...uploadQueries,
  ...historyQueries,
]
