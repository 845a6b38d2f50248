import { toHex } from '../core/bytes.ts'
import { randomBytes } from '../core/ids.ts'

/** A backup's id: when it began, and enough chance to tell two apart. Sorts by time. */
export function backupId(now: number): string {
  const stamp = new Date(now).toISOString().replace(/\.\d+/, '').replace(/[-:]/g, '')
  return `${stamp}-${toHex(randomBytes(4))}`
}

/** When a backup began, in milliseconds since the epoch; undefined when the text is no backup's id. */
export function startOf(id: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{8}$/.exec(id)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second] = match
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(time) ? undefined : time
}
