/** A simple string of RESP, such as `OK` or `PONG`: a different type from a bulk string inside a Lua script. */
export class Status {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** An error reply. The message begins with its code: `ERR`, `WRONGTYPE`, `NOSCRIPT` … */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'
}

/**
 * What a command answers, RESP2's five types. Strings are binary: one character is one byte (0 to 255).
 * Integers beyond 2^53 are bigint, so that a 64-bit counter is never rounded.
 */
export type Reply = string | number | bigint | null | Status | CommandError | Reply[]

/** The usual answer of a write. */
export const OK: Status = new Status('OK')

/** An integer reply: a number where it is exact, otherwise a bigint. */
export function integerReply(value: bigint): number | bigint {
  const small = Number(value)
  return Number.isSafeInteger(small) ? small : value
}

/** Error texts that several commands share, as Redis 7 words them. */
export const ERRORS = {
  syntax: 'ERR syntax error',
  notInteger: 'ERR value is not an integer or out of range',
  notFloat: 'ERR value is not a valid float',
  notPositive: 'ERR value is out of range, must be positive',
  wrongType: 'WRONGTYPE Operation against a key holding the wrong kind of value',
  noSuchKey: 'ERR no such key',
  indexOutOfRange: 'ERR index out of range',
  overflow: 'ERR increment or decrement would overflow',
  notANumber: 'ERR increment would produce NaN or Infinity',
  tooLong: 'ERR string exceeds maximum allowed size (proto-max-bulk-len)',
  offset: 'ERR offset is out of range',
} as const

/** The error of a wrong number of arguments. */
export function wrongArity(name: string): CommandError {
  return new CommandError(`ERR wrong number of arguments for '${name}' command`)
}
