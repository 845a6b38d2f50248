import pg from 'pg'
import type { CriticalQuery } from '../db/index.ts'
import type { Finding, RunSql } from '../db-health/index.ts'
import {
  checkDatabase,
  checkSchema,
  checkUrls,
  modelOfCatalog,
  schemaCheckTitles,
} from '../db-health/index.ts'
import { liveChecks, urlCheckTitle } from '../db-health/live/index.ts'
import type { DoctorCheck, Level } from './check.ts'
import { outcome, skip } from './check.ts'

/** A live database, looked at once for all checks. */
export interface LiveDatabase {
  findings(): Promise<readonly Finding[]>
}

/**
 * A database to look at.
 * @param url Its direct address.
 * @param pooled The address that the Worker uses, if it is known.
 * @param queries Declared ones, to look for their indexes.
 * @throws TypeError when the address is none.
 */
export function liveDatabase(
  url: string,
  pooled: string | undefined,
  queries: readonly CriticalQuery[] = [],
): LiveDatabase {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new TypeError('--database is no Postgres URL: postgresql://user:password@host/database')
  }
  let looking: Promise<readonly Finding[]> | undefined
  async function look(): Promise<readonly Finding[]> {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'breakwater doctor',
      connectionTimeoutMillis: 10_000,
    })
    client.on('error', () => {})
    try {
      await client.connect()
    } catch (error) {
      throw new Error(`the database cannot be reached (${(error as { code?: string }).code ?? 'no answer'})`)
    }
    const run: RunSql = async (sql) => (await client.query(sql)).rows
    try {
      return [
        ...checkSchema(await modelOfCatalog(run), queries),
        ...(await checkDatabase(run)),
        ...checkUrls({ direct: url, ...(pooled !== undefined && { pooled }) }),
      ]
    } finally {
      await client.end()
    }
  }
  return {
    findings() {
      looking ??= look()
      return looking
    },
  }
}

const SERIOUS: readonly Level[] = ['info', 'warn', 'error']

interface Titled {
  readonly title: string
  readonly level: Level
}

/** One check of the doctor for each id; a declared and a live one of the same id are one. */
function titles(): Map<string, Titled> {
  const found = new Map<string, Titled>()
  for (const { id, title, level } of [...schemaCheckTitles, ...liveChecks, urlCheckTitle]) {
    const earlier = found.get(id)
    const worse = earlier === undefined || SERIOUS.indexOf(level) > SERIOUS.indexOf(earlier.level)
    found.set(id, { title: earlier?.title ?? title, level: worse ? level : earlier.level })
  }
  return found
}

/** The checks of the database, one for each id of docs/db.md. */
export const databaseChecks: readonly DoctorCheck[] = [...titles()]
  .sort(([a], [b]) => Number(a.slice(3)) - Number(b.slice(3)))
  .map(
    ([id, { title, level }]): DoctorCheck => ({
      id,
      level,
      title: title.length > 79 ? `${title.slice(0, 78)}…` : title,
      async run({ database, queries }) {
        if (database === undefined || typeof database === 'string') {
          return skip(database ?? 'give the address of the database with --database')
        }
        if (id === 'DB-25' && (queries === undefined || typeof queries === 'string')) {
          return skip(queries ?? 'no module was named that declares queries')
        }
        const mine = (await database.findings()).filter(
          (one) => one.id === id || (id === 'DB-7' && one.id === 'DB-8'),
        )
        return outcome(mine.map(({ message, hint }) => ({ message, hint })))
      },
    }),
  )
