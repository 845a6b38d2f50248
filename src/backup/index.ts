/**
 * Backups of Postgres into R2 from a Worker's cron trigger: one snapshot, encrypted, signed, pruned with care.
 * @module
 */
export { type Backup, type BackupResult, createBackup, type LatestBackup } from './backup.ts'
export { BackupError, type BackupFault } from './errors.ts'
export type { ChunkEntry, Manifest, SequenceEntry, TableEntry } from './manifest.ts'
export type { BackupOptions } from './options.ts'
