/**
 * The doctor: what to put right before real users come. For Node; `npx breakwater doctor` is its command.
 * @module
 */
export type { AnyEnvDefinition, DoctorCheck, Finding, Level, Outcome, Project } from './check.ts'
export { checks } from './checks/index.ts'
export { type LiveDatabase, liveDatabase } from './database.ts'
export type { LiveReply, LiveSite } from './live.ts'
export { ProjectError, type ProjectOptions, readProject, readSilence } from './project.ts'
export { type CheckReport, type DoctorReport, examine, failsAt, toText } from './report.ts'
export type { Table, WranglerConfig } from './wrangler.ts'
