/** An error in plain data. */
export interface ErrorDescription {
  readonly name: string
  readonly message: string
  /** Frames only; engines begin a stack with the message, which may hold what nobody may see. */
  readonly stack: readonly string[]
  readonly cause?: ErrorDescription
}

/**
 * An error and its causes in plain data; never throws, stops at cycles and at the fifth cause. Nothing is masked: this is
 * for the developer's own eyes.
 */
export function describeError(error: unknown, depth = 0): ErrorDescription {
  const read = (key: 'name' | 'message' | 'stack'): string => {
    try {
      const value = (error as Error)[key]
      return typeof value === 'string' ? value : ''
    } catch {
      return ''
    }
  }
  let message = read('message')
  let cause: unknown
  try {
    cause = (error as Error).cause
  } catch {}
  if (message === '' && (typeof error !== 'object' || error === null)) message = String(error)
  return {
    name: read('name') || typeof error,
    message,
    stack: read('stack')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => /^at |@.*:\d+/.test(line) && !message.includes(line)),
    ...(cause !== undefined && depth < 4 && { cause: describeError(cause, depth + 1) }),
  }
}

/**
 * A message without whatever could be a secret or personal data: words with digits, signs or length, and the word after
 * each. Crude on purpose; `breakwater/log` and `breakwater/capture` bring a finer sieve.
 */
export function scrub(message: string): string {
  return message
    .slice(0, 1000)
    .replace(/\bparams:[\s\S]*/, '…')
    .replace(/"[^"]*"/g, '"…"')
    .replace(/(?:\S{0,200}[\d@:=/\\]\S{0,200}|\S{25,})(?:\s+\S+)?/g, '…')
}
