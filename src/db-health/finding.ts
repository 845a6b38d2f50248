/** How bad: `error` will lose data or stop the service, `warn` will hurt as it grows, `info` is good to know. */
export type Level = 'error' | 'warn' | 'info'

/** Something a check found. */
export interface Finding {
  /** Which check, such as `DB-1`. Stable. */
  readonly id: string
  readonly level: Level
  /** What is wrong and where; under 80 characters. Holds no value of any row. */
  readonly message: string
  /** The exact SQL to run, or the setting to change. */
  readonly hint: string
  /** Where the check is explained. */
  readonly docs: string
}

const MOST = 79

/** Makes a finding; long names are cut so that the message stays short. */
export function finding(id: string, level: Level, message: string, hint: string): Finding {
  return {
    id,
    level,
    message: message.length > MOST ? `${message.slice(0, MOST - 1)}…` : message,
    hint,
    docs: `docs/db.md#${id.toLowerCase()}`,
  }
}

/** What a check is called in lists. */
export interface CheckTitle {
  readonly id: string
  readonly level: Level
  /** What holds when nothing was found; under 80 characters. */
  readonly title: string
}
