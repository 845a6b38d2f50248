import type { Shelf } from '../shelf.ts'
import type { CapturedRecord } from './record.ts'

/** What a list may be narrowed by. Everything given must hold. */
export interface RecordQuery {
  readonly type?: string
  readonly level?: string
  readonly project?: string
  readonly environment?: string
  readonly release?: string
  /** A trace id. */
  readonly trace?: string
  /** Text in the title or the transaction's name, whatever its case. */
  readonly query?: string
  /** ISO 8601: received at this time or later. */
  readonly since?: string
}

/** The parts of a {@link RecordQuery}, as they are written in a URL. */
export const QUERY_KEYS: readonly (keyof RecordQuery)[] = [
  'type',
  'level',
  'project',
  'environment',
  'release',
  'trace',
  'query',
  'since',
]

/** Newest first. */
export function select(shelf: Shelf<CapturedRecord>, wanted: RecordQuery): CapturedRecord[] {
  const since = wanted.since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(wanted.since)
  const text = wanted.query?.toLowerCase()
  return shelf
    .list()
    .filter(
      (record) =>
        is(wanted.type, record.type) &&
        is(wanted.level, record.level) &&
        is(wanted.project, record.project) &&
        is(wanted.environment, record.environment) &&
        is(wanted.release, record.release) &&
        is(wanted.trace, record.traceId) &&
        !(Date.parse(record.receivedAt) < since) &&
        (text === undefined || `${record.title}\n${record.transaction ?? ''}`.toLowerCase().includes(text)),
    )
}

function is(wanted: string | undefined, found: string | undefined): boolean {
  return wanted === undefined || wanted === found
}
