import { type CheckTitle, type Finding, finding } from '../finding.ts'
import type { RunSql } from '../from-catalog.ts'
import type { LiveCheck } from './check.ts'
import { sessionChecks } from './sessions.ts'
import { statementChecks } from './statements.ts'
import { tableChecks } from './tables.ts'

/** Every check of a live database, in the order of a report. */
export const liveChecks: readonly LiveCheck[] = [...tableChecks, ...statementChecks, ...sessionChecks]

/** What {@link checkUrls} finds. */
export const urlCheckTitle: CheckTitle = {
  id: 'DB-23',
  level: 'error',
  title: 'The app goes through the pooler, migrations do not',
}

const host = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : '')

/** 23: on Neon, the run-time URL is the pooled one and that of migrations is the direct one. */
export function checkUrls(urls: { readonly pooled?: string; readonly direct?: string }): Finding[] {
  const found: Finding[] = []
  const runtime = host(urls.pooled ?? '')
  if (/\.neon\.tech$/.test(runtime) && !/-pooler\./.test(runtime)) {
    found.push(
      finding(
        'DB-23',
        'error',
        'DATABASE_URL does not go through the pooler',
        'wrangler secret put DATABASE_URL # the pooled one: its host has -pooler before the first dot',
      ),
    )
  }
  if (/-pooler\./.test(host(urls.direct ?? ''))) {
    found.push(
      finding(
        'DB-23',
        'error',
        'DATABASE_URL_DIRECT goes through the pooler',
        'export DATABASE_URL_DIRECT=… # the direct one: its host has no -pooler',
      ),
    )
  }
  return found
}

/**
 * Looks over a live database. Changes nothing. A check that the role may not run becomes a finding of its own, since
 * silence is no health.
 *
 * @param run Runs one statement; always on the same connection, which is not a pool.
 */
export async function checkDatabase(
  run: RunSql,
  checks: readonly LiveCheck[] = liveChecks,
): Promise<Finding[]> {
  const found: Finding[] = []
  for (const check of checks) {
    try {
      await run('begin read only')
      // Whoever is in trouble holds locks: a look must not wait behind them, nor others behind it.
      await run(`set local lock_timeout = '1s'`)
      await run(`set local statement_timeout = '15s'`)
      found.push(...(await check.run(run)))
    } catch (error) {
      const { code } = error as { code?: string }
      found.push(
        finding(
          check.id,
          check.level,
          `${check.id} could not be looked at (${code ?? 'error'})`,
          'grant pg_monitor to current_user;',
        ),
      )
    } finally {
      await run('rollback')
    }
  }
  return found
}
