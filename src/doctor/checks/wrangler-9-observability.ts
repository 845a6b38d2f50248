import { type DoctorCheck, outcome, skip } from '../check.ts'
import { at, environmentOf } from '../wrangler.ts'

/** Without it, what happened in production is gone when the request is. */
export const observability: DoctorCheck = {
  id: 'WRANGLER-9',
  level: 'warn',
  title: 'Workers Logs are on',
  run({ wrangler, environment }) {
    if (typeof wrangler === 'string') return skip(wrangler)
    const { settings } = environmentOf(wrangler, environment)
    // The part decides where it speaks, the whole where it does not.
    const enabled = at(settings, 'observability.logs.enabled') ?? at(settings, 'observability.enabled')
    const rate =
      at(settings, 'observability.logs.head_sampling_rate') ??
      at(settings, 'observability.head_sampling_rate')
    if (enabled !== true) {
      return outcome([
        { message: 'Workers Logs are off', hint: `${wrangler.file}: [observability] enabled = true` },
      ])
    }
    return outcome(
      rate === 0
        ? [
            {
              message: 'Workers Logs are on, but no request is sampled',
              hint: `${wrangler.file}: [observability] head_sampling_rate = 1`,
            },
          ]
        : [],
    )
  },
}
