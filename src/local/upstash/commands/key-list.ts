import { parseInt64 } from '../numbers.ts'
import { CommandError, ERRORS } from '../reply.ts'

/**
 * Reads `numkeys key …`, as ZUNION, SINTERCARD, LMPOP and their kind take it.
 * @param kind how a number below one is answered: Redis words it in two ways
 */
export function keyList(
  args: readonly string[],
  command: string,
  kind: 'at-least-one' | 'union',
): { sources: string[]; rest: string[] } {
  const given = parseInt64(args[0] as string)
  if (kind === 'at-least-one') {
    if (given === undefined || given <= 0n) throw new CommandError('ERR numkeys should be greater than 0')
    if (given > args.length - 1) {
      throw new CommandError(
        command === 'sintercard' ? "ERR Number of keys can't be greater than number of args" : ERRORS.syntax,
      )
    }
  } else {
    if (given === undefined) throw new CommandError(ERRORS.notInteger)
    if (given < 1n) throw new CommandError(`ERR at least 1 input key is needed for '${command}' command`)
    if (given > args.length - 1) throw new CommandError(ERRORS.syntax)
  }
  const count = Number(given)
  return { sources: args.slice(1, 1 + count), rest: args.slice(1 + count) }
}
