import { metaOf } from '../../env/variable.ts'
import { type DoctorCheck, outcome, skip } from '../check.ts'
import { everyEnvironment, tableName, varsOf } from '../wrangler.ts'

const SECRET_NAME = /(SECRET|PASSWORD|PASSWD|PRIVATE_?KEY|API_?KEY|ACCESS_?KEY|TOKEN|CREDENTIALS?)(_|$)/i
// Made to be seen, or about a secret without being one.
const PUBLIC_NAME =
  /PUBLIC|PUBLISHABLE|SITE_?KEY|TOKEN_(TTL|URL|NAME|ISSUER|AUDIENCE)|_(ID|NAME|URL|TTL|LENGTH)$/i
const SECRET_VALUE =
  /^(sk|rk)_(live|test)_|^whsec_|^(ghp|gho|ghs|github_pat)_|^xox[abprs]-|^AKIA[\dA-Z]{16}$|^re_\w{20,}|^SG\.[\w-]{20,}|^glpat-|-----BEGIN [A-Z ]*PRIVATE KEY|^[a-z][a-z\d+.-]*:\/\/[^\s/@:]*:[^\s/@]+@/

/** The file is in git and its plain variables are shown in the dashboard. */
export const noSecretInVars: DoctorCheck = {
  id: 'ENV-2',
  level: 'error',
  title: 'No secret stands in [vars]',
  run({ definition, wrangler }) {
    if (typeof wrangler === 'string') return skip(wrangler)
    const schemas = typeof definition === 'string' ? {} : definition.vars
    const findings = everyEnvironment(wrangler).flatMap(({ name: environment, settings }) =>
      Object.entries(varsOf(settings)).flatMap(([name, value]) => {
        if (value === '' || typeof value !== 'string') return []
        const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined
        const declared = schema && metaOf(schema).secret
        const looksSecret =
          SECRET_VALUE.test(value) ||
          (SECRET_NAME.test(name) && !PUBLIC_NAME.test(name) && declared !== false)
        if (!declared && !looksSecret) return []
        const flag = environment === undefined ? '' : ` --env ${environment}`
        return [
          {
            message: `${name} is a secret and stands in ${tableName(environment, 'vars')}`,
            hint: `remove it there, replace the value at its provider (git remembers it), then: wrangler secret put ${name}${flag}`,
          },
        ]
      }),
    )
    return outcome(findings)
  },
}
