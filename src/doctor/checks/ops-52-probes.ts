import { type DoctorCheck, type Finding, outcome, skip } from '../check.ts'

/** Without them, nobody hears of an outage before the users do. */
export const probes: DoctorCheck = {
  id: 'OPS-52',
  level: 'error',
  title: '/livez and /readyz answer, and pass',
  async run({ site }) {
    if (typeof site === 'string') return skip(site)
    const findings: Finding[] = []
    for (const path of ['/livez', '/readyz']) {
      const { status, body } = await site.get(path)
      const state = /"status"\s*:\s*"(\w+)"/.exec(body)?.[1]
      if (status === 200 && (state === 'pass' || state === 'warn')) continue
      findings.push(
        state === 'fail'
          ? {
              message: `${path} says that a critical dependency is out`,
              hint: `curl -H "Authorization: Bearer $OPS_TOKEN" ${site.origin}${path}`,
            }
          : {
              message: `${path} answers ${status}, and no health document`,
              hint: "app.route('/', health({ checks: { … } })) from breakwater/health",
            },
      )
    }
    return outcome(findings)
  },
}
