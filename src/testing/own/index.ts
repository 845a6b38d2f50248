import * as auth from '../../auth/schema.ts'
import type { CriticalQuery } from '../../db/index.ts'
import * as jobs from '../../jobs/schema.ts'
import * as uploads from '../../uploads/schema.ts'
import { authQueries } from './auth.ts'
import { jobQueries } from './jobs.ts'
import { uploadQueries } from './uploads.ts'

export { ownColumns } from './columns.ts'

/** Every table of the SDK. */
export const ownSchema: Readonly<Record<string, unknown>> = { ...auth, ...jobs, ...uploads }

/** Every query of the SDK, to be examined like an application's own. */
export const ownQueries: readonly CriticalQuery[] = Object.entries({
  ...authQueries,
  ...jobQueries,
  ...uploadQueries,
}).map(([name, source]) => ({ name, source }))
