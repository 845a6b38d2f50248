/** What can be wrong with a backup, or with making or reading one. */
export type BackupFault =
  | 'no-backup'
  | 'wrong-key'
  | 'unknown-version'
  | 'manifest-damaged'
  | 'chunk-missing'
  | 'chunk-damaged'
  | 'source-changed'
  | 'range-too-large'

/** A backup cannot be made or read. The message is one sentence for whoever runs it. */
export class BackupError extends Error {
  override readonly name: string = 'BackupError'
  readonly fault: BackupFault

  constructor(fault: BackupFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}
