import process from 'node:process'
import type { Level } from '../doctor/check.ts'
import { checks } from '../doctor/checks/index.ts'
import { ProjectError, readProject, readSilence } from '../doctor/project.ts'
import { examine, failsAt, toText } from '../doctor/report.ts'
import { CommandFailed, type CommandInput, UsageError } from './command.ts'

/** As it is typed. */
export const name = 'doctor'

/** For the list of commands. */
export const summary = 'Look over the project, and the deployed Worker, for what keeps it from launching.'

/** For `breakwater help doctor`. */
export const details =
  'Each check has an id, explained in docs/doctor.md. To silence one, list it in package.json:\n"breakwater": { "doctor": { "silence": ["HTTP-20"] } }'

/** Its flags. */
export const options = {
  url: {
    type: 'string',
    value: 'URL',
    summary: 'The deployed Worker; without it nothing is asked over the network',
  },
  env: {
    type: 'string',
    value: 'NAME',
    summary: 'The environment of wrangler.toml (default: production where there is one, else the top level)',
  },
  database: {
    type: 'string',
    value: 'URL',
    summary:
      'The direct address of the database (default: DATABASE_URL_DIRECT); without it none is looked at',
  },
  schema: {
    type: 'string',
    value: 'FILE',
    summary: 'The module that calls defineEnv (default: worker/env.ts)',
  },
  queries: {
    type: 'string',
    value: 'FILE',
    summary: 'The module that declares queries with critical(); without it none is looked at',
  },
  json: { type: 'boolean', summary: 'Print one JSON object' },
  'fail-on': {
    type: 'string',
    value: 'LEVEL',
    summary: 'Exit with 1 from this level on: error, warn, info, or never (default: error)',
  },
} as const

const LEVELS = ['error', 'warn', 'info', 'never'] as const

/** Runs it. */
export async function run({ values }: CommandInput<typeof options>): Promise<number> {
  const threshold = LEVELS.find((level) => level === (values['fail-on'] ?? 'error'))
  if (threshold === undefined) throw new UsageError(`--fail-on is one of ${LEVELS.join(', ')}.`)
  const database = values.database ?? (process.env['DATABASE_URL_DIRECT'] || undefined)
  const pooled = process.env['DATABASE_URL'] || undefined
  try {
    const project = await readProject({
      ...(values.env !== undefined && { environment: values.env }),
      ...(values.url !== undefined && { url: values.url }),
      ...(values.schema !== undefined && { schema: values.schema }),
      ...(values.queries !== undefined && { queries: values.queries }),
      ...(database !== undefined && { database }),
      ...(pooled !== undefined && { pooled }),
    })
    const report = await examine(checks, project, readSilence(project.root))
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : toText(report))
    return failsAt(report, threshold satisfies Level | 'never') ? 1 : 0
  } catch (error) {
    if (error instanceof ProjectError) throw new CommandFailed(error.message)
    throw error
  }
}
