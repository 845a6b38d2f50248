import { type DoctorCheck, outcome, skip } from '../check.ts'
import { environmentOf } from '../wrangler.ts'

/** Older releases of wrangler leave source maps out unless told; newer ones include them: say it. */
export const sourceMaps: DoctorCheck = {
  id: 'WRANGLER-11',
  level: 'warn',
  title: 'Source maps are uploaded with the Worker',
  run({ wrangler, environment }) {
    if (typeof wrangler === 'string') return skip(wrangler)
    const { settings } = environmentOf(wrangler, environment)
    return outcome(
      settings['upload_source_maps'] === true
        ? []
        : [
            {
              message: 'Stack traces in logs will show bundled code',
              hint: `${wrangler.file}: upload_source_maps = true`,
            },
          ],
    )
  },
}
