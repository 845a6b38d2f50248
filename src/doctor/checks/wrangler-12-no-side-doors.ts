import { type DoctorCheck, type Finding, outcome, skip } from '../check.ts'
import { environmentOf } from '../wrangler.ts'

/** Both addresses reach production's data and pass by what is set up on your own domain. */
export const noSideDoors: DoctorCheck = {
  id: 'WRANGLER-12',
  level: 'warn',
  title: 'workers.dev and preview URLs are off',
  run({ wrangler, environment }) {
    if (typeof wrangler === 'string') return skip(wrangler)
    const { settings } = environmentOf(wrangler, environment)
    const findings: Finding[] = []
    const routes = settings['routes'] ?? settings['route']
    const hasRoutes = Array.isArray(routes) ? routes.length > 0 : routes !== undefined
    if ((settings['workers_dev'] ?? !hasRoutes) !== false) {
      findings.push({
        message: 'The Worker also answers on workers.dev, past the WAF and rate limits of your domain',
        hint: `${wrangler.file}: workers_dev = false`,
      })
    }
    // Absent, it keeps what the dashboard says, which was on for a long time.
    if (settings['preview_urls'] !== false) {
      findings.push({
        message: "Every version may get a public preview URL that uses production's secrets",
        hint: `${wrangler.file}: preview_urls = false`,
      })
    }
    return outcome(findings)
  },
}
