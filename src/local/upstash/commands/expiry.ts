import type { Keyspace } from '../keyspace.ts'
import { int64 } from '../numbers.ts'
import { CommandError, type Reply } from '../reply.ts'
import { type CommandTable, reads, writes } from './types.ts'

// The largest time Redis takes: what still fits 64 bits in milliseconds.
const MAX_TIME = 9223372036854775807n

/**
 * The time of death that `EX 10`, `PX 10`, `EXAT …` or `PXAT …` means.
 * @param strict whether zero and less are refused, as SET and GETEX do
 */
export function deadline(
  keys: Keyspace,
  command: string,
  unit: string,
  text: string,
  strict: boolean,
): number {
  const seconds = unit === 'EX' || unit === 'EXAT'
  const relative = unit === 'EX' || unit === 'PX'
  const given = int64(text)
  const invalid = new CommandError(`ERR invalid expire time in '${command}' command`)
  if (strict && given <= 0n) throw invalid
  const milliseconds = seconds ? given * 1000n : given
  const when = relative ? milliseconds + BigInt(keys.now) : milliseconds
  if (milliseconds > MAX_TIME || milliseconds < -MAX_TIME || when > MAX_TIME || when < -MAX_TIME)
    throw invalid
  return Number(when)
}

interface Conditions {
  readonly nx: boolean
  readonly xx: boolean
  readonly gt: boolean
  readonly lt: boolean
}

function conditions(words: string[]): Conditions {
  const found = { nx: false, xx: false, gt: false, lt: false }
  for (const word of words) {
    const name = word.toLowerCase()
    if (!Object.hasOwn(found, name)) throw new CommandError(`ERR Unsupported option ${word}`)
    found[name as keyof Conditions] = true
  }
  if (found.nx && (found.xx || found.gt || found.lt)) {
    throw new CommandError('ERR NX and XX, GT or LT options at the same time are not compatible')
  }
  if (found.gt && found.lt) {
    throw new CommandError('ERR GT and LT options at the same time are not compatible')
  }
  return found
}

function expires(command: string, unit: string) {
  return (keys: Keyspace, args: string[]): Reply => {
    const [key, time] = args as [string, string]
    const { nx, xx, gt, lt } = conditions(args.slice(2))
    const when = deadline(keys, command, unit, time, false)
    const entry = keys.find(key)
    if (!entry) return 0
    const current = entry.expireAt
    if (nx && current !== undefined) return 0
    if (xx && current === undefined) return 0
    if (gt && (current === undefined || when <= current)) return 0
    if (lt && current !== undefined && when >= current) return 0
    keys.changes++
    if (when <= keys.now) keys.remove(key)
    else entry.expireAt = when
    return 1
  }
}

function remaining(keys: Keyspace, key: string, answer: (left: number, at: number) => number): Reply {
  const entry = keys.find(key)
  if (!entry) return -2
  return entry.expireAt === undefined ? -1 : answer(entry.expireAt - keys.now, entry.expireAt)
}

/** Commands on the time of death. */
export const expiry: CommandTable = {
  expire: writes(-3, expires('expire', 'EX')),
  pexpire: writes(-3, expires('pexpire', 'PX')),
  expireat: writes(-3, expires('expireat', 'EXAT')),
  pexpireat: writes(-3, expires('pexpireat', 'PXAT')),
  persist: writes(2, (keys, [key]) => {
    const entry = keys.find(key as string)
    if (entry?.expireAt === undefined) return 0
    keys.changes++
    entry.expireAt = undefined
    return 1
  }),
  ttl: reads(2, (keys, [key]) => remaining(keys, key as string, (left) => Math.floor((left + 500) / 1000))),
  pttl: reads(2, (keys, [key]) => remaining(keys, key as string, (left) => left)),
  expiretime: reads(2, (keys, [key]) =>
    remaining(keys, key as string, (_, at) => Math.floor((at + 500) / 1000)),
  ),
  pexpiretime: reads(2, (keys, [key]) => remaining(keys, key as string, (_, at) => at)),
}
