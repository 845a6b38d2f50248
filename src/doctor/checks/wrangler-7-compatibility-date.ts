import { type DoctorCheck, outcome, skip } from '../check.ts'
import { environmentOf } from '../wrangler.ts'

const DAY = 86_400_000

/** An old date keeps old bugs, and the longer it waits the more changes at once. */
export const compatibilityDate: DoctorCheck = {
  id: 'WRANGLER-7',
  level: 'warn',
  title: 'The compatibility date is less than a year old',
  run({ wrangler, environment, now }) {
    if (typeof wrangler === 'string') return skip(wrangler)
    const date = environmentOf(wrangler, environment).settings['compatibility_date']
    const today = new Date(now).toISOString().slice(0, 10)
    // TOML has dates of its own; wrangler wants text.
    const text = typeof date === 'string' && /^\d{4}-\d\d-\d\d$/.test(date) ? date : undefined
    const hint = `${wrangler.file}: compatibility_date = "${today}", then run the tests`
    if (text === undefined || Number.isNaN(Date.parse(text))) {
      return outcome([{ message: 'There is no compatibility date', hint }])
    }
    const days = Math.floor((now - Date.parse(text)) / DAY)
    return outcome(
      days > 365 ? [{ message: `The compatibility date ${text} is ${days} days old`, hint }] : [],
    )
  },
}
