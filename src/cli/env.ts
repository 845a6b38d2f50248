import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import process from 'node:process'
import { parseEnv } from 'node:util'
import type { AnyEnvDefinition } from '../doctor/check.ts'
import { checkWranglerEnvironment, toDotenv, toMarkdown } from '../doctor/env-file.ts'
import { loadDefinition, SchemaError } from '../doctor/schema.ts'
import {
  environmentName,
  environmentOf,
  everyEnvironment,
  parseWrangler,
  readWrangler,
  varsOf,
} from '../doctor/wrangler.ts'
import type { EnvProblem } from '../env/errors.ts'
import { CommandFailed, type CommandInput, UsageError } from './command.ts'
import { nearest } from './nearest.ts'

/** As it is typed. */
export const name = 'env'

/** For the list of commands. */
export const summary = 'Print the variables and bindings the Worker needs, or check a file against them.'

/** Its flags. */
export const options = {
  format: {
    type: 'string',
    value: 'FORMAT',
    summary: 'Print the variables as markdown, or as dotenv for .dev.vars.example (default: markdown)',
  },
  check: { type: 'string', value: 'FILE', summary: 'Check .dev.vars, or wrangler.toml, against the schema' },
  env: {
    type: 'string',
    value: 'NAME',
    summary: 'With --check wrangler.toml: this environment only (default: all of them)',
  },
  schema: {
    type: 'string',
    value: 'FILE',
    summary: 'The module that calls defineEnv (default: worker/env.ts)',
  },
} as const

/** Runs it. */
export async function run({ values }: CommandInput<typeof options>): Promise<number> {
  const { format = 'markdown', check } = values
  if (format !== 'markdown' && format !== 'dotenv') throw new UsageError('--format is markdown or dotenv.')
  if (values.env !== undefined && check === undefined)
    throw new UsageError('--env goes with --check wrangler.toml.')
  let definition: AnyEnvDefinition
  try {
    definition = await loadDefinition(process.cwd(), values.schema)
  } catch (error) {
    throw error instanceof SchemaError ? new CommandFailed(error.message) : error
  }
  if (check === undefined) {
    process.stdout.write(format === 'markdown' ? toMarkdown(definition) : toDotenv(definition))
    return 0
  }
  if (!existsSync(check)) throw new CommandFailed(`${check} does not exist`)
  return /^wrangler.*\.(toml|jsonc?)$/.test(basename(check))
    ? checkWrangler(definition, check, values.env)
    : checkDotenv(definition, check)
}

function print(title: string, problems: readonly EnvProblem[]): void {
  const lines = problems.map(
    ({ name, problem, expected, fix }) =>
      `- ${name} ${problem}${expected ? `; expected ${expected}` : ''}\n  ${fix}\n`,
  )
  process.stdout.write(
    problems.length === 0
      ? `${title}: fit\n`
      : `${title}: ${problems.length} to put right\n${lines.join('')}`,
  )
}

function checkWrangler(definition: AnyEnvDefinition, file: string, only: string | undefined): number {
  const config = orFail(() => parseWrangler(basename(file), readFileSync(file, 'utf8')))
  if (only !== undefined && !config.environments.includes(only)) {
    throw new CommandFailed(`${file} has no [env.${only}]`)
  }
  const targets = only === undefined ? everyEnvironment(config) : [environmentOf(config, only)]
  let wrong = 0
  for (const target of targets) {
    const problems = checkWranglerEnvironment(definition, target)
    print(`${file}, ${environmentName(target.name)}`, problems)
    wrong += problems.length
  }
  return wrong > 0 ? 1 : 0
}

function checkDotenv(definition: AnyEnvDefinition, file: string): number {
  const own = parseEnv(readFileSync(file, 'utf8'))
  const config = orFail(() => readWrangler(dirname(resolve(file))))
  // wrangler dev lays the file over the variables of wrangler.toml: .dev.vars.staging over those of env.staging.
  const suffix = /\.dev\.vars\.(.+)$/.exec(basename(file))?.[1]
  const environment = suffix !== undefined && config?.environments.includes(suffix) ? suffix : undefined
  const vars = config ? varsOf(environmentOf(config, environment).settings) : {}
  const problems = definition.check({ ...vars, ...own }, 'vars')
  const names = Object.keys(definition.vars)
  for (const name of Object.keys(own).filter((each) => !names.includes(each))) {
    const near = nearest(name, names)
    process.stdout.write(
      `note: ${name} is not in the schema${near === undefined ? '' : `; did you mean ${near}?`}\n`,
    )
  }
  print(file, problems)
  return problems.length > 0 ? 1 : 0
}

function orFail<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new CommandFailed(error instanceof Error ? error.message : String(error))
  }
}
