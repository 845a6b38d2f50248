import { type DoctorCheck, type Finding, outcome, skip } from '../check.ts'
import { checkWranglerEnvironment } from '../env-file.ts'
import { environmentName, environmentOf, tableName, varsOf } from '../wrangler.ts'

/** What can be judged of the environment before the deploy: plain values and bindings. */
export const schemaSatisfied: DoctorCheck = {
  id: 'ENV-5',
  level: 'error',
  title: 'Variables and bindings in wrangler.toml satisfy the schema',
  run({ definition, wrangler, environment }) {
    if (typeof definition === 'string') return skip(definition)
    if (typeof wrangler === 'string') return skip(wrangler)
    const target = environmentOf(wrangler, environment)
    const findings: Finding[] = checkWranglerEnvironment(definition, target).map(
      ({ name, problem, expected, fix }) => ({
        message: `${name} ${problem}${expected ? `; expected ${expected}` : ''}`,
        hint: fix,
      }),
    )
    const isProduction = environment !== undefined && /^prod(uction)?$|^live$/i.test(environment)
    if (
      isProduction &&
      'ENVIRONMENT' in definition.vars &&
      varsOf(target.settings)['ENVIRONMENT'] !== 'production'
    ) {
      findings.push({
        message: `${environmentName(environment)} does not say that it is production, so the rules of production do not hold there`,
        hint: `${wrangler.file}: ENVIRONMENT = "production" in ${tableName(environment, 'vars')}`,
      })
    }
    return outcome(findings)
  },
}
