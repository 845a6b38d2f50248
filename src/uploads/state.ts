/**
 * Where an upload stands.
 *
 * - `reserved`: room is set aside; no byte has come.
 * - `receiving`: bytes are coming.
 * - `quarantined`: every byte is stored and matches its digest; nobody can read it yet.
 * - `scanned`: the stored object was read again and found to be what it should be.
 * - `published`: can be read.
 * - `rejected`: never came whole, or is not what it should be. Its object is removed.
 * - `deleted`: removed on request.
 */
export type UploadState =
  | 'reserved'
  | 'receiving'
  | 'quarantined'
  | 'scanned'
  | 'published'
  | 'rejected'
  | 'deleted'

/** Every state, in the order an upload meets them. */
export const UPLOAD_STATES: readonly [UploadState, ...UploadState[]] = [
  'reserved',
  'receiving',
  'quarantined',
  'scanned',
  'published',
  'rejected',
  'deleted',
]

const NEXT: Readonly<Record<UploadState, readonly UploadState[]>> = {
  reserved: ['receiving', 'rejected'],
  receiving: ['quarantined', 'rejected'],
  quarantined: ['scanned', 'rejected', 'deleted'],
  scanned: ['published', 'rejected', 'deleted'],
  published: ['deleted'],
  rejected: ['deleted'],
  deleted: [],
}

/** Whether an upload may go from one state to the other in one step. */
export function canMove(from: UploadState, to: UploadState): boolean {
  return NEXT[from].includes(to)
}

/** The states from which `to` can be reached in one step. */
export function sourcesOf(to: UploadState): readonly UploadState[] {
  return UPLOAD_STATES.filter((from) => canMove(from, to))
}

/** What an upload in this state weighs on its owner's quota: what it reserved, what it stores, or nothing. */
export function weighs(state: UploadState): 'reserved' | 'stored' | 'nothing' {
  if (state === 'reserved' || state === 'receiving') return 'reserved'
  if (state === 'quarantined' || state === 'scanned' || state === 'published') return 'stored'
  return 'nothing'
}
