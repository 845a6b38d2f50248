import { bindingStanza } from '../env/bindings.ts'
import { howToSet } from '../env/define.ts'
import type { EnvProblem } from '../env/errors.ts'
import { metaOf, type VariableMeta } from '../env/variable.ts'
import type { AnyEnvDefinition } from './check.ts'
import {
  bindingsOf,
  type Environment,
  requiredSecretsOf,
  tableName,
  tableOfKind,
  varsOf,
} from './wrangler.ts'

/** A variable of a definition with what is known about it. */
export interface DescribedVariable {
  readonly name: string
  readonly meta: VariableMeta
  /** Whether a Worker starts without it. */
  readonly required: boolean
}

/** The variables of a definition, in order. */
export function describeVariables(definition: AnyEnvDefinition): readonly DescribedVariable[] {
  const missing = new Set(definition.check({}, 'vars').map((problem) => problem.name))
  return Object.entries(definition.vars).map(([name, schema]) => ({
    name,
    meta: metaOf(schema),
    required: missing.has(name),
  }))
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replace(/\s*\n\s*/g, ' ')
const code = (text: string): string => (text === '' ? '' : `\`${text}\``)

/** The definition as Markdown: a table of the variables, and one of the bindings. */
export function toMarkdown(definition: AnyEnvDefinition): string {
  const row = (...cells: string[]): string => `| ${cells.map(cell).join(' | ')} |`
  const lines = [
    row('Variable', 'What it is for', 'Expected', 'Example', 'Required', 'How to set it'),
    row('---', '---', '---', '---', '---', '---'),
    ...describeVariables(definition).map(({ name, meta, required }) =>
      row(
        code(name),
        meta.description ?? '',
        meta.expected,
        code(meta.example ?? ''),
        required ? 'yes' : meta.fallback === undefined ? 'no' : `no: ${code(meta.fallback)}`,
        code(howToSet(name, meta)),
      ),
    ),
  ]
  const bindings = Object.entries(definition.bindings) as [string, { kind: never; isOptional: boolean }][]
  if (bindings.length > 0) {
    lines.push('', row('Binding', 'Kind', 'Required', 'In wrangler.toml'), row('---', '---', '---', '---'))
    for (const [name, { kind, isOptional }] of bindings) {
      lines.push(row(code(name), kind, isOptional ? 'no' : 'yes', code(bindingStanza(name, kind))))
    }
  }
  return `${lines.join('\n')}\n`
}

/** The definition as a `.dev.vars.example`: what is required as a line to fill in, the rest commented out. */
export function toDotenv(definition: AnyEnvDefinition): string {
  const blocks = describeVariables(definition).map(({ name, meta, required }) => {
    const about = [meta.description, `Expected: ${meta.expected}.`]
      .filter((line) => line !== undefined)
      .map((line) => `# ${line.replace(/\s*\n\s*/g, ' ')}`)
    const value = JSON.stringify(meta.example ?? meta.fallback ?? '')
    return [...about, `${required ? '' : '# '}${name}=${value}`].join('\n')
  })
  return `${blocks.join('\n\n')}\n`
}

/**
 * What is wrong with one environment of wrangler.toml, seen from the definition: values in `[vars]` that do not
 * fit, variables that nothing sets, bindings that are missing or of another kind. Values of secrets are not in
 * the file, so of those only their absence from `[secrets] required` can be seen: the caller asks for that.
 */
export function checkWranglerEnvironment(
  definition: AnyEnvDefinition,
  { name: environment, settings }: Environment,
): readonly EnvProblem[] {
  const written = bindingsOf(settings)
  const elsewhere = new Set([...requiredSecretsOf(settings), ...written.map((binding) => binding.name)])
  const vars = varsOf(settings)
  const local = (fix: string): string =>
    environment === undefined
      ? fix
      : fix
          .replace(/\[(\[?)(?=[a-z])/, `[$1env.${environment}.`)
          .replace('wrangler secret put', `wrangler secret put --env ${environment}`)

  const problems = definition
    .check(vars, 'vars')
    .filter(({ name, code }) => {
      if (code !== 'missing') return true
      const secret = metaOf((definition.vars as Record<string, never>)[name] as never).secret
      return !elsewhere.has(name) && secret !== true
    })
    .map((problem) => ({ ...problem, fix: local(problem.fix) }))

  for (const [name, { kind, isOptional }] of Object.entries(
    definition.bindings as Record<string, { kind: keyof typeof tableOfKind; isOptional: boolean }>,
  )) {
    const found = written.filter((binding) => binding.name === name)
    if (found.some((binding) => binding.table === tableOfKind[kind]) || (isOptional && found.length === 0))
      continue
    problems.push({
      name,
      code: 'binding',
      problem:
        found[0] === undefined
          ? 'is not bound'
          : `is in ${tableName(environment, found[0].table)}, but a ${kind} binding is needed`,
      fix: local(`wrangler.toml: ${bindingStanza(name, kind)}`),
    })
  }
  return problems
}
