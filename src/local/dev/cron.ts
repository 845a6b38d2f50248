/**
 * Whether a cron expression of Cloudflare's dialect (five fields, UTC, 1 = Sunday) names this minute.
 * Undefined when the expression uses something else, such as `L` or `W`.
 */
export function cronMatches(expression: string, time: Date): boolean | undefined {
  const fields = expression.trim().split(/\s+/)
  if (fields.length !== 5) return undefined
  const values = [
    time.getUTCMinutes(),
    time.getUTCHours(),
    time.getUTCDate(),
    time.getUTCMonth() + 1,
    time.getUTCDay() + 1,
  ]
  const [minute, hour, day, month, weekday] = RANGES.map((range, i) =>
    fieldMatches(fields[i] ?? '', range, values[i] ?? 0),
  )
  if (
    minute === undefined ||
    hour === undefined ||
    day === undefined ||
    month === undefined ||
    weekday === undefined
  )
    return undefined
  // As in cron everywhere: when both days are restricted, either will do.
  const restricted = fields[2] !== '*' && fields[4] !== '*'
  return minute && hour && month && (restricted ? day || weekday : day && weekday)
}

interface Range {
  readonly from: number
  readonly to: number
  readonly names?: readonly string[]
}

const RANGES: readonly Range[] = [
  { from: 0, to: 59 },
  { from: 0, to: 23 },
  { from: 1, to: 31 },
  {
    from: 1,
    to: 12,
    names: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
  },
  { from: 1, to: 7, names: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] },
]

function fieldMatches(field: string, range: Range, value: number): boolean | undefined {
  let matches = false
  for (const part of field.split(',')) {
    const found = /^(\*|[A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?(?:\/(\d+))?$/.exec(part)
    if (!found) return undefined
    const [, first = '', last, every] = found
    const from = first === '*' ? range.from : numberOf(first, range)
    // `5/10` runs from 5 to the end, a bare `5` is 5 alone.
    const to =
      last !== undefined ? numberOf(last, range) : first === '*' || every !== undefined ? range.to : from
    const step = every === undefined ? 1 : Number(every)
    if (from === undefined || to === undefined || step === 0 || (first === '*' && last !== undefined))
      return undefined
    if (value >= from && value <= to && (value - from) % step === 0) matches = true
  }
  return matches
}

function numberOf(text: string, { from, to, names }: Range): number | undefined {
  const index = names?.indexOf(text.toUpperCase()) ?? -1
  const value = index === -1 ? Number(text) : index + 1
  return Number.isInteger(value) && value >= from && value <= to ? value : undefined
}

/**
 * Fires each expression on its minute until stopped. `wrangler dev` has the triggers and leaves them unfired.
 */
export function startCrons(
  expressions: readonly string[],
  fire: (expression: string, time: Date) => void,
): () => void {
  let timer: NodeJS.Timeout | undefined
  const next = (): void => {
    const minute = Math.floor(Date.now() / 60_000) + 1
    timer = setTimeout(
      () => {
        const time = new Date(minute * 60_000)
        for (const expression of expressions) if (cronMatches(expression, time)) fire(expression, time)
        next()
      },
      minute * 60_000 - Date.now(),
    )
    timer.unref()
  }
  if (expressions.length > 0) next()
  return () => clearTimeout(timer)
}
