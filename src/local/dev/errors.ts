/** Why the local stack did not start or could not go on, in a sentence that says what to do. */
export class LocalError extends Error {
  override readonly name = 'LocalError'
}

/** Says a system error in words; anything else is passed on as it is. */
export function explain(error: unknown, what: string): unknown {
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new LocalError(`${what}: the disk is full. Make room, or give --state a folder on another disk.`)
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new LocalError(`${what}: this user may not write there. Give --state another folder.`)
  }
  if (code === 'ENOTDIR' || code === 'EEXIST') {
    return new LocalError(`${what}: a file is in the way. Give --state another folder.`)
  }
  return error
}

/** The code of a system error. */
export function codeOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}
