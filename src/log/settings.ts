import { slot } from '../core/slot.ts'
import { currentWork, type Work } from '../core/work.ts'
import { type LogLevel, type LogWriter, writeToConsole } from './line.ts'

/** What every line depends on. */
export interface LogSettings {
  readonly level: LogLevel
  readonly write: LogWriter
  readonly keys: readonly string[]
  readonly keepAddresses: boolean
}

const DEFAULTS: LogSettings = { level: 'info', write: writeToConsole, keys: [], keepAddresses: false }

// By unit of work, so that two apps in one isolate, or two tests, do not write to each other's log.
const byWork = slot<Work, LogSettings>('log.settings')

/** Lets every line within `work` be written under these settings. */
export function useSettings(work: Work, settings: LogSettings): void {
  byWork.set(work, settings)
}

/** The settings of the current unit of work, or the defaults. */
export function currentSettings(work: Work | undefined = currentWork()): LogSettings {
  return (work && byWork.get(work)) ?? DEFAULTS
}
