import type { UploadRow } from './records.ts'
import type { UploadState } from './state.ts'

/** An upload as its owner sees it. */
export interface UploadView {
  readonly id: string
  readonly kind: string
  readonly state: UploadState
  readonly name: string
  /** Null until the bytes have told. */
  readonly type: string | null
  readonly size: number | null
  /** 64 hexadecimal digits. */
  readonly sha256: string | null
  readonly width: number | null
  readonly height: number | null
  /** Why it was rejected. */
  readonly reason: string | null
  /** ISO 8601. */
  readonly createdAt: string
}

/** Leaves out what is nobody's business: the key, the owner. */
export function toView(row: UploadRow): UploadView {
  const { id, kind, type, size, sha256, width, height, reason } = row
  return {
    id,
    kind,
    state: row.state as UploadState,
    name: row.originalName,
    type,
    size,
    sha256,
    width,
    height,
    reason,
    createdAt: row.createdAt.toISOString(),
  }
}
