import { type DoctorCheck, outcome, skip } from '../check.ts'

/** Browsers must take content for what it says it is. */
export const nosniff: DoctorCheck = {
  id: 'HTTP-21',
  level: 'error',
  title: 'X-Content-Type-Options: nosniff is sent',
  async run({ site }) {
    if (typeof site === 'string') return skip(site)
    const { headers } = await site.get('/')
    const value = headers.get('x-content-type-options')
    return outcome(
      value?.trim().toLowerCase() === 'nosniff'
        ? []
        : [
            {
              message: '/ lets browsers guess its content type',
              hint: 'send X-Content-Type-Options: nosniff',
            },
          ],
    )
  },
}
