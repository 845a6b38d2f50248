import { redact } from '../core/redact.ts'

/** How loud a line is. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Fields beside the message. Redacted by key and by shape before they are written. */
export type LogFields = Readonly<Record<string, unknown>>

/** Takes one finished line of JSON, without its newline. */
export type LogWriter = (line: string, level: LogLevel) => void

const RANK: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 }

/** Whether a line of this level is written under this threshold. */
export function isLoud(level: LogLevel, threshold: LogLevel): boolean {
  return RANK[level] >= RANK[threshold]
}

/** Writes to the console method of the level, which is what Workers Logs reads. */
export const writeToConsole: LogWriter = (line, level) => {
  console[level](line)
}

// JSON escapes line feeds and the like by itself; these it leaves, and terminals and viewers obey them: C1 controls,
// line separators, marks that turn the direction of writing.
const UNSAFE = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/

const PLAIN = /^[\w .,:;/()*@+-]*$/

let second = Number.NaN
let secondText = ''

/** RFC 3339, as `toISOString` writes it, which is only asked once a second: it costs as much as the rest of a line. */
export function timeText(now: number): string {
  const ms = now % 1000
  if (now - ms !== second) {
    second = now - ms
    secondText = new Date(second).toISOString().slice(0, -4)
  }
  return `${secondText}${String(ms).padStart(3, '0')}Z`
}

/** A member of a line, behind others. Nothing when there is no value, or none that JSON has a form for. */
export function member(name: string, value: unknown): string {
  if (value === undefined) return ''
  // What needs no escaping is most of a line, and the way into the engine's own writer and back is longer than this.
  if (typeof value === 'string' && PLAIN.test(value)) return `,"${name}":"${value}"`
  if (Number.isInteger(value)) return `,"${name}":${value}`
  const text = JSON.stringify(value) as string | undefined
  return text === undefined ? '' : `,"${name}":${text}`
}

/**
 * One line of JSON. Nothing in it can begin another line, or steer a terminal.
 *
 * Put together from its members as text: an object of so many optional members, built to be written once, cost
 * three times as much as its text.
 * @param members what {@link member} gave for texts and numbers, in a row. What nests is a field.
 * @param fields the caller's, which cannot take the place of one before.
 */
export function toLine(members: string, fields: Readonly<Record<string, unknown>> = {}): string {
  let line = `{${members.slice(1)}`
  for (const name in fields) {
    const key = JSON.stringify(name).slice(1, -1)
    // Within a text the quotes would be escaped, so this finds members only.
    if (!members.includes(`,"${key}":`)) line += member(key, fields[name])
  }
  line += '}'
  if (!UNSAFE.test(line)) return line
  return line.replace(
    new RegExp(UNSAFE, 'g'),
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** The caller's fields, safe to write; never replacing those of ours. */
export function safeFields(
  fields: LogFields | undefined,
  keys: readonly string[],
  keepAddresses: boolean,
): Record<string, unknown> {
  if (fields === undefined) return {}
  const safe = redact(fields, { keys, keepAddresses })
  return typeof safe === 'object' && safe !== null ? (safe as Record<string, unknown>) : { fields: safe }
}
