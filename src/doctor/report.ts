import type { DoctorCheck, Finding, Level, Project } from './check.ts'
import { Unreachable } from './live.ts'
import { environmentName } from './wrangler.ts'

/** One line of a report. */
export interface CheckReport {
  readonly id: string
  readonly level: Level
  readonly title: string
  readonly status: 'pass' | 'fail' | 'skip'
  /** Why it was skipped. */
  readonly reason?: string
  /** What is wrong; empty unless it failed. */
  readonly findings: readonly Finding[]
  /** Where the check is explained. */
  readonly docs: string
}

/** What the doctor found. */
export interface DoctorReport {
  readonly environment: string
  readonly url?: string
  readonly checks: readonly CheckReport[]
  /** Failed checks by level. */
  readonly failed: Readonly<Record<Level, number>>
  readonly passed: number
  readonly skipped: number
  /** Things about the run itself, such as a silenced id that no check has. */
  readonly notes: readonly string[]
}

/** Where the explanation of a check is. */
export function docsOf(id: string): string {
  return `docs/${id.startsWith('DB-') ? 'db' : 'doctor'}.md#${id.toLowerCase()}`
}

/**
 * Runs checks over a project, all at once. A check that breaks has failed: silence is no health.
 * @param silence Ids that are not to be judged.
 */
export async function examine(
  checks: readonly DoctorCheck[],
  project: Project,
  silence: readonly string[] = [],
): Promise<DoctorReport> {
  const reports = await Promise.all(
    checks.map(async (check): Promise<CheckReport> => {
      const { id, level, title } = check
      const base = { id, level, title, findings: [], docs: docsOf(id) }
      if (silence.includes(id)) return { ...base, status: 'skip', reason: 'silenced in package.json' }
      try {
        return { ...base, ...(await check.run(project)) }
      } catch (error) {
        const finding =
          error instanceof Unreachable
            ? { message: error.message, hint: 'check the URL and that the Worker is deployed there' }
            : {
                message: `The check broke: ${error instanceof Error ? error.message : error}`,
                hint: 'please report it',
              }
        return { ...base, status: 'fail', findings: [finding] }
      }
    }),
  )
  const count = (level: Level): number =>
    reports.filter((report) => report.status === 'fail' && report.level === level).length
  const known = new Set(checks.map((check) => check.id))
  return {
    environment: environmentName(project.environment),
    ...(typeof project.site !== 'string' && { url: project.site.origin }),
    checks: reports,
    failed: { error: count('error'), warn: count('warn'), info: count('info') },
    passed: reports.filter((report) => report.status === 'pass').length,
    skipped: reports.filter((report) => report.status === 'skip').length,
    notes: silence
      .filter((id) => !known.has(id))
      .map((id) => `package.json silences ${id}, which no check is called`),
  }
}

const ORDER: readonly Level[] = ['info', 'warn', 'error']

/** Whether a report is bad enough to fail at a threshold. */
export function failsAt(report: DoctorReport, threshold: Level | 'never'): boolean {
  if (threshold === 'never') return false
  return ORDER.slice(ORDER.indexOf(threshold)).some((level) => report.failed[level] > 0)
}

/** The report for people. */
export function toText(report: DoctorReport): string {
  const width = Math.max(...report.checks.map((check) => check.id.length))
  const indent = ' '.repeat(width + 10)
  const lines = [`breakwater doctor: ${report.environment}${report.url ? `, ${report.url}` : ''}`, '']
  for (const { id, level, title, status, reason, findings, docs } of report.checks) {
    const word = status === 'fail' ? level : status
    const mark = { pass: '✓', skip: '–', fail: '✗' }[status]
    lines.push(
      `${mark} ${word.padEnd(6)} ${id.padEnd(width)}  ${title}${reason ? ` (skipped: ${reason})` : ''}`,
    )
    for (const { message, hint } of findings) lines.push(`${indent} ${message}`, `${indent} → ${hint}`)
    if (findings.length > 0) lines.push(`${indent} ${docs}`)
  }
  const { error, warn, info } = report.failed
  lines.push('', ...report.notes.map((note) => `note: ${note}`))
  lines.push(
    `${error} error${error === 1 ? '' : 's'}, ${warn} warning${warn === 1 ? '' : 's'}, ${info} info, ${report.passed} passed, ${report.skipped} skipped`,
  )
  return `${lines.join('\n')}\n`
}
