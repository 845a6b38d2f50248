/**
 * Uploads into R2: owned, limited, hashed, told by their bytes, quarantined until checked, served safely.
 * @module
 */
export { type ClamavOptions, clamavScan } from './clamav.ts'
export type { DirectRequest, DirectTicket } from './direct/begin.ts'
export type { DirectAccess, SignedRequest } from './direct/presign.ts'
export type { UploadPage } from './list.ts'
export type { ScanSubject, ScanVerdict, UploadKind, UploadsOptions } from './options.ts'
export type { ReconcileReport } from './reconcile.ts'
export type { UploadQuota, UploadsDatabase } from './records.ts'
export type { UploadsSchema } from './routes.ts'
export { uploads, uploadTransfers, uploadUsage } from './schema.ts'
export { PROCESS_JOB } from './settle.ts'
export type { UploadState } from './state.ts'
export type { SweepReport } from './sweep.ts'
export { createUploads, type Uploads, type UploadTask } from './uploads.ts'
export type { ImageVariant } from './variants.ts'
export type { UploadView } from './view.ts'
