import { type DoctorCheck, outcome, skip } from '../check.ts'
import { at, bindingsOf, environmentOf, requiredSecretsOf, tableName, varsOf } from '../wrangler.ts'

/** Environments inherit settings, but neither bindings nor variables nor secrets: what is not repeated is not there. */
export const bindingsRepeated: DoctorCheck = {
  id: 'WRANGLER-16',
  level: 'error',
  title: 'Bindings and variables are repeated in each environment',
  run({ wrangler }) {
    if (typeof wrangler === 'string') return skip(wrangler)
    if (wrangler.environments.length === 0) return skip('there are no environments')
    const top = environmentOf(wrangler).settings
    const findings = wrangler.environments.flatMap((environment) => {
      const { settings } = environmentOf(wrangler, environment)
      const bound = new Set(bindingsOf(settings).map(({ name, table }) => `${table} ${name}`))
      const vars = varsOf(settings)
      const secrets = requiredSecretsOf(settings)
      const missing = [
        ...bindingsOf(top)
          .filter(({ name, table }) => table !== 'assets' && !bound.has(`${table} ${name}`))
          .map(({ name, table }) => ({ name, place: table })),
        // A variable here may be a secret there.
        ...Object.keys(varsOf(top))
          .filter((name) => !(name in vars) && !secrets.includes(name))
          .map((name) => ({ name, place: 'vars' })),
        ...requiredSecretsOf(top)
          .filter((name) => !(name in vars) && !secrets.includes(name))
          .map((name) => ({ name, place: 'secrets' })),
      ]
      return missing.map(({ name, place }) => ({
        message: `${name} is not there in env.${environment}: ${place} is not inherited`,
        hint: `${wrangler.file}: repeat ${name} in ${tableName(environment, place, Array.isArray(at(top, place)))}`,
      }))
    })
    return outcome(findings)
  },
}
