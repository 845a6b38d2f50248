import { type DoctorCheck, outcome, skip } from '../check.ts'
import { describeVariables } from '../env-file.ts'
import {
  bindingsOf,
  environmentName,
  environmentOf,
  requiredSecretsOf,
  tableName,
  varsOf,
} from '../wrangler.ts'

/** Wrangler refuses to deploy without the secrets it is told of; without being told it deploys and the Worker fails. */
export const secretsDeclared: DoctorCheck = {
  id: 'ENV-1',
  level: 'error',
  title: 'Every required secret is declared in wrangler.toml',
  run({ definition, wrangler, environment }) {
    if (typeof definition === 'string') return skip(definition)
    if (typeof wrangler === 'string') return skip(wrangler)
    const { settings } = environmentOf(wrangler, environment)
    const known = new Set([
      ...requiredSecretsOf(settings),
      ...Object.keys(varsOf(settings)),
      ...bindingsOf(settings).map((binding) => binding.name),
    ])
    // Whether a foreign schema is secret is not known; what no table sets can only be one.
    const missing = describeVariables(definition).filter(
      ({ name, meta, required }) => required && meta.secret !== false && !known.has(name),
    )
    return outcome(
      missing.map(({ name }) => ({
        message: `${name} is required, but ${environmentName(environment)} does not declare it`,
        hint: `${wrangler.file}: add "${name}" to required in ${tableName(environment, 'secrets')}, then: wrangler secret put ${name}${environment ? ` --env ${environment}` : ''}`,
      })),
    )
  },
}
