/** A cron expression, read. */
export interface Cron {
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  readonly days: ReadonlySet<number>
  readonly months: ReadonlySet<number>
  readonly weekdays: ReadonlySet<number>
  /** Both days of the month and of the week are named: a day fits if either does, as POSIX has it. */
  readonly either: boolean
  /** The hour is `*` or a step of it: such schedules go by elapsed time when clocks are changed. */
  readonly everyHour: boolean
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const NICKNAMES: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
}

function field(text: string, min: number, max: number, names: readonly string[] = []): number[] {
  const wrong = (): never => {
    throw new TypeError(`"${text}" is no field of a cron expression between ${min} and ${max}`)
  }
  const number = (word: string): number => {
    const named = names.indexOf(word.toLowerCase())
    if (named >= 0) return named + (names === MONTHS ? 1 : 0)
    const value = /^\d{1,2}$/.test(word) ? Number(word) : wrong()
    return value >= min && value <= max ? value : wrong()
  }
  const found = new Set<number>()
  for (const part of text.split(',')) {
    const match = /^(\*|\w+)(?:-(\w+))?(?:\/(\d+))?$/.exec(part) ?? wrong()
    const [, from = '', to, every] = match
    if (from === '*' && to !== undefined) wrong()
    const first = from === '*' ? min : number(from)
    const last = to !== undefined ? number(to) : from === '*' || every !== undefined ? max : first
    const step = every === undefined ? 1 : Number(every)
    if (step < 1 || last < first) wrong()
    for (let n = first; n <= last; n += step) found.add(n)
  }
  return [...found].sort((a, b) => a - b)
}

/**
 * Reads a cron expression of five fields, as POSIX and Vixie's cron have them: lists, ranges, steps, names of months
 * and weekdays, Sunday as 0 or 7, nicknames such as `@daily`.
 * @throws TypeError
 */
export function parseCron(expression: string): Cron {
  const fields = (NICKNAMES[expression.trim().toLowerCase()] ?? expression).trim().split(/\s+/)
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields
  if (fields.length !== 5) throw new TypeError(`"${expression}" is no cron expression of five fields`)
  const cron: Cron = {
    minutes: field(minute, 0, 59),
    hours: field(hour, 0, 23),
    days: new Set(field(day, 1, 31)),
    months: new Set(field(month, 1, 12, MONTHS)),
    weekdays: new Set(field(weekday, 0, 7, DAYS).map((n) => n % 7)),
    either: !day.startsWith('*') && !weekday.startsWith('*'),
    everyHour: hour.startsWith('*'),
  }
  if (nextTick(cron, 'UTC', Date.UTC(2024, 0, 1)) === undefined)
    throw new TypeError(`"${expression}" names no day that there is`)
  return cron
}

function fits(cron: Cron, year: number, month: number, day: number): boolean {
  if (!cron.months.has(month)) return false
  const ofMonth = cron.days.has(day)
  const ofWeek = cron.weekdays.has(new Date(Date.UTC(year, month - 1, day)).getUTCDay())
  return cron.either ? ofMonth || ofWeek : ofMonth && ofWeek
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Milliseconds that a zone's clocks are ahead of UTC at an instant. @throws TypeError for an unknown zone. */
export function offsetAt(timeZone: string, instant: number): number {
  if (timeZone === 'UTC') return 0
  let format = formats.get(timeZone)
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat('en-US', {
        timeZone,
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      })
    } catch {
      throw new TypeError(`"${timeZone}" is no time zone of the IANA database`)
    }
    formats.set(timeZone, format)
  }
  const part: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(instant)) part[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant / 1000) * 1000
}

const DAY = 86_400_000

/** How a zone's clocks stand about one day. */
interface Clocks {
  /** Milliseconds ahead of UTC. */
  readonly before: number
  readonly behind: number
  /** When they are changed from one to the other. */
  readonly change: number
}

// Asking a zone costs more than all the rest of finding a tick.
const clocks = new Map<string, Clocks>()

function clocksOf(timeZone: string, date: number): Clocks {
  const key = `${timeZone} ${date}`
  const known = clocks.get(key)
  if (known !== undefined) return known
  let [low, high] = [date - DAY, date + 2 * DAY]
  const [before, behind] = [offsetAt(timeZone, low), offsetAt(timeZone, high)]
  while (before !== behind && high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000
    if (offsetAt(timeZone, middle) === before) low = middle
    else high = middle
  }
  const found = { before, behind, change: high }
  if (clocks.size >= 64) clocks.clear()
  clocks.set(key, found)
  return found
}

/**
 * The first tick after an instant, in epoch milliseconds; undefined when there is none in eight years.
 *
 * When clocks are set forward, a time that is skipped fires when the gap ends; when they are set back, a time that
 * comes twice fires the first time. Expressions whose hour is `*` go by elapsed time instead.
 */
export function nextTick(cron: Cron, timeZone: string, after: number): number | undefined {
  const local = after + offsetAt(timeZone, after)
  // From the day before: a time that was skipped there may end up in this one.
  const start = Math.floor(local / DAY) * DAY - DAY
  for (let date = start; date < start + 8 * 366 * DAY; date += DAY) {
    const at = new Date(date)
    if (!fits(cron, at.getUTCFullYear(), at.getUTCMonth() + 1, at.getUTCDate())) continue
    const ticks = ticksOf(cron, timeZone, date).filter((tick) => tick > after)
    if (ticks.length > 0) return Math.min(...ticks)
  }
  return undefined
}

function ticksOf(cron: Cron, timeZone: string, date: number): number[] {
  const { before, behind, change } = clocksOf(timeZone, date)
  return cron.hours.flatMap((hour) =>
    cron.minutes.flatMap((minute) => {
      const local = date + hour * 3_600_000 + minute * 60_000
      const [early, late] = [local - before, local - behind]
      if (before === behind) return [early]
      // When clocks show this time: not at all, once, or twice.
      const instants = [...(early < change ? [early] : []), ...(late >= change ? [late] : [])]
      if (cron.everyHour || instants.length === 1) return instants
      // Skipped: at the gap's end. Twice: the first time.
      return [instants.length === 0 ? change : early]
    }),
  )
}
