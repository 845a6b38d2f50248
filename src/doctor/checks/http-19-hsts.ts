import { type DoctorCheck, outcome, skip } from '../check.ts'

const HALF_A_YEAR = 15_552_000

/** Without it, the first request of each visit can be caught before it is encrypted (RFC 6797). */
export const hsts: DoctorCheck = {
  id: 'HTTP-19',
  level: 'error',
  title: 'Strict-Transport-Security is sent, for half a year or more',
  async run({ site }) {
    if (typeof site === 'string') return skip(site)
    if (site.origin.startsWith('http:')) return skip('the URL is not https:, where the header does not count')
    const { headers } = await site.get('/')
    const value = headers.get('strict-transport-security')
    const hint = 'send Strict-Transport-Security: max-age=63072000; includeSubDomains'
    if (value === null) return outcome([{ message: '/ has no Strict-Transport-Security header', hint }])
    const age = Number(/(?:^|;)\s*max-age\s*=\s*"?(\d+)"?\s*(?:;|$)/i.exec(value)?.[1] ?? 0)
    return outcome(
      age < HALF_A_YEAR ? [{ message: `Strict-Transport-Security holds for ${age} seconds only`, hint }] : [],
    )
  },
}
